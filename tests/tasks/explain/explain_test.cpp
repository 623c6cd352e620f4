#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tasks/artifacts/read_table.h"
#include "tasks/explain/feature_rows.h"
#include "tasks/explain/kernel_shap.h"
#include "tasks/explain/tree_contributions.h"
#include "tasks/processing/processors.h"
#include "tasks/training/model_artifact.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Table numbers_table(std::size_t columns, std::size_t rows, std::uint64_t seed) {
  Random random(seed);
  Table out;
  out.rows = rows;
  for (std::size_t c = 0; c < columns; ++c) {
    std::vector<double> values;
    for (std::size_t i = 0; i < rows; ++i) values.push_back(random.normal());
    out.columns.push_back(number_column("x" + std::to_string(c), std::move(values)));
  }
  return out;
}

// A function with interactions of the first three columns, and a sum over the others.
Result<Matrix> curved(const Table& t) {
  Matrix out(t.rows, 1);
  for (std::size_t i = 0; i < t.rows; ++i) {
    double y = t.columns[0].numbers[i] * t.columns[1].numbers[i] + std::abs(t.columns[2].numbers[i]);
    for (std::size_t c = 3; c < t.columns.size(); ++c) y += static_cast<double>(c) * t.columns[c].numbers[i];
    out.values[i] = static_cast<float>(y);
  }
  return out;
}

// Shapley values by their definition: every subset of the features.
std::vector<double> by_definition(const Table& rows, std::size_t row, const Baseline& baseline) {
  const std::size_t n = rows.columns.size();
  const auto value = [&](unsigned subset) {
    double sum = 0;
    for (std::size_t b = 0; b < baseline.rows.rows; ++b) {
      Table one;
      one.rows = 1;
      for (std::size_t c = 0; c < n; ++c)
        one.columns.push_back(number_column(
            rows.columns[c].name,
            {(subset >> c & 1) != 0 ? rows.columns[c].numbers[row] : baseline.rows.columns[c].numbers[b]}));
      sum += baseline.weights[b] * static_cast<double>(curved(one)->values[0]);
    }
    return sum;
  };
  const auto factorial = [](std::size_t k) { return std::tgamma(static_cast<double>(k) + 1); };
  std::vector<double> out(n);
  for (std::size_t f = 0; f < n; ++f) {
    for (unsigned subset = 0; subset < (1u << n); ++subset) {
      if ((subset >> f & 1) != 0) continue;
      const auto size = static_cast<std::size_t>(__builtin_popcount(subset));
      const double weight = factorial(size) * factorial(n - size - 1) / factorial(n);
      out[f] += weight * (value(subset | 1u << f) - value(subset));
    }
  }
  return out;
}

Json run_processor(TestContext& context, const char* processor, std::vector<NamedUri> inputs,
                   const char* output, const std::string& settings) {
  ProcessingInputs request;
  request.inputs = std::move(inputs);
  request.outputs = {{"out", output}};
  request.settings = Json::parse(settings);
  auto result = find_processor(processor)->run(request, context);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  return *result;
}

// Trains `algorithm` on prepared rows and saves the model with its pipeline.
void train_shop(TestContext& context, const char* algorithm, const HyperParameters& parameters,
                const char* uri) {
  auto table = read_table(context.objects(), "s3://b/prepared/train/");
  REQUIRE(table);
  Dataset data;
  data.target_name = "bought";
  data.y = table->find("bought")->numbers;
  data.X = Matrix(table->rows, table->columns.size() - 1);
  for (std::size_t c = 1; c < table->columns.size(); ++c) {
    data.feature_names.push_back(table->columns[c].name);
    for (std::size_t i = 0; i < table->rows; ++i)
      data.X.at(i, c - 1) = static_cast<float>(table->columns[c].numbers[i]);
  }
  auto estimator = find_estimator(algorithm)->make(parameters);
  REQUIRE_MESSAGE(estimator.has_value(), estimator.error().message);
  auto fitted = (*estimator)->fit(data, nullptr, FitContext{});
  REQUIRE_MESSAGE(fitted.has_value(), fitted.error().message);
  ModelFiles files;
  files.model_bytes = fitted->model->save();
  files.card = {{"algorithm", algorithm},
                {"task", "binary"},
                {"target", "bought"},
                {"pipeline", true},
                {"features", data.feature_names}};
  files.card["model_sha256"] = digest_hex(Digest::Sha256, files.model_bytes);
  files.pipeline = Json::parse(*context.objects().read("s3://b/prepared/train/_pipeline.json"));
  REQUIRE(save_model(context.objects(), uri, files));
}

// Bought depends much on x, less on colour, not on noise.
void write_shop(TestContext& context) {
  Random random(9);
  std::string csv = "x,colour,noise,bought\n";
  for (int i = 0; i < 1500; ++i) {
    const double x = 10 + 5 * random.normal();
    const bool red = random.below(2) != 0;
    const double p = 1 / (1 + std::exp(-((x - 10) / 5 * 2 + (red ? 0.7 : -0.7))));
    csv += std::to_string(x) + (red ? ",red," : ",blue,") + std::to_string(random.uniform()) +
           (random.uniform() < p ? ",yes\n" : ",no\n");
  }
  REQUIRE(context.objects().write("s3://b/raw/a.csv", csv));
  run_processor(context, "prepare", {{"train", "s3://b/raw/"}}, "s3://b/prepared/",
                R"({"target":"bought","steps":[{"step":"scale"},{"step":"one_hot"}]})");
}

}  // namespace

TEST_CASE("kernel shap: few features give the Shapley values of the definition") {
  const Table rows = numbers_table(5, 4, 1);
  Baseline baseline{numbers_table(5, 3, 2), {0.5, 0.3, 0.2}};
  const auto kernel = KernelShap::make(curved, baseline, {});
  REQUIRE(kernel);
  CHECK(kernel->exact());
  CHECK(kernel->mixtures() == 30);
  for (std::size_t row = 0; row < rows.rows; ++row) {
    const auto values = kernel->explain(rows, row);
    REQUIRE(values);
    const std::vector<double> expected = by_definition(rows, row, baseline);
    for (std::size_t f = 0; f < 5; ++f) CHECK(std::abs((*values)[f] - expected[f]) < 2e-5);
  }
}

TEST_CASE("kernel shap: many features are sampled; sums are exact, additive parts nearly so") {
  const Table rows = numbers_table(16, 2, 1);
  const Baseline baseline{numbers_table(16, 1, 2), {1}};
  const auto kernel = KernelShap::make(curved, baseline, {3000, 7, false});
  REQUIRE(kernel);
  CHECK(!kernel->exact());
  const auto values = kernel->explain(rows, 1);
  REQUIRE(values);
  double sum = kernel->expected()[0];
  for (const double value : *values) sum += value;
  const std::uint32_t row[] = {1};
  CHECK(sum == doctest::Approx(static_cast<double>(curved(select_rows(rows, row))->values[0])).epsilon(1e-6));
  for (std::size_t f = 3; f < 16; ++f) {
    const double own =
        static_cast<double>(f) * (rows.columns[f].numbers[1] - baseline.rows.columns[f].numbers[0]);
    CHECK(std::abs((*values)[f] - own) < 0.02);
  }
  const auto again = KernelShap::make(curved, baseline, {3000, 7, false});
  CHECK(*again->explain(rows, 1) == *values);
  // Fewer mixtures than features: still sums up.
  const auto few = KernelShap::make(curved, baseline, {6, 7, false});
  const auto rough = few->explain(rows, 1);
  double rough_sum = few->expected()[0];
  for (const double value : *rough) rough_sum += value;
  CHECK(rough_sum == doctest::Approx(sum).epsilon(1e-6));
}

TEST_CASE("baselines: clusters of mixed columns, rows in JSON") {
  Table table;
  table.rows = 6;
  table.columns = {number_column("x", {0, 1, 0.5, 100, 101, NAN}),
                   text_column("c", {"a", "a", "b", "z", "z", "z"})};
  const Baseline two = make_baseline(table, 2, Random(1));
  REQUIRE(two.rows.rows == 2);
  const std::size_t low = two.rows.columns[0].numbers[0] < 50 ? 0 : 1;
  CHECK(two.rows.columns[0].numbers[low] == doctest::Approx(0.5));
  CHECK(two.rows.columns[0].numbers[1 - low] == doctest::Approx(100.5));
  CHECK(two.rows.columns[1].texts[low] == "a");
  CHECK(two.rows.columns[1].texts[1 - low] == "z");
  CHECK(two.weights[0] == doctest::Approx(0.5));
  CHECK(make_baseline(table, 50, Random(1)).rows.rows <= 6);
  const auto read = read_baseline(Json::parse(R"([[1, "a"], {"c": null, "x": "2.5"}])"), table);
  REQUIRE(read);
  CHECK(read->rows.columns[0].numbers == std::vector<double>{1, 2.5});
  CHECK(is_missing(read->rows.columns[1], 1));
  CHECK(read_baseline(Json::parse("[[1]]"), table).error().message ==
        "baseline: a row has 1 cells, the model takes 2");
  CHECK(read_baseline(Json::parse(R"([["u", "a"]])"), table).error().message ==
        "column \"x\" has numbers, not \"u\"");
}

TEST_CASE("features are counted under the column they came from") {
  CHECK(column_of_features({"age", "city=Rome", "city=Oslo", "age_missing", "a*b", "cityscape"},
                           {"age", "city", "cityscape"}) ==
        std::vector<std::string>{"age", "city", "city", "age", "a*b", "cityscape"});
}

TEST_CASE("explain: exact values of trees by column, permutation importance, partial dependence") {
  TestContext context;
  write_shop(context);
  train_shop(context, "xgboost", {{"objective", "binary:logistic"}, {"num_round", "20"}, {"max_depth", "3"}},
             "s3://b/model");
  const Json raw = run_processor(context, "explain", {{"dataset", "s3://b/raw/"}, {"model", "s3://b/model"}},
                                 "s3://b/why/", R"({"methods": {"shap": {}, "pdp": {"grid_resolution": 8},
                       "permutation": {"repeats": 3}}})");
  const Json& shap = raw["explanations"]["tree_shap"]["label0"];
  const Json& global = shap["global_shap_values"];
  CHECK(global.size() == 3);
  CHECK(global["x"].get<double>() > global["colour"].get<double>());
  CHECK(global["colour"].get<double>() > global["noise"].get<double>());
  const Json& permutation = raw["explanations"]["permutation_importance"];
  CHECK(permutation["x"]["importance_mean"].get<double>() > 0.1);
  CHECK(permutation["x"]["importance_mean"].get<double>() >
        permutation["colour"]["importance_mean"].get<double>());
  const Json analysis = Json::parse(*context.objects().read("s3://b/why/analysis.json"));
  const Json& pdp = analysis["explanations"]["pdp"];
  REQUIRE(pdp.size() == 3);
  CHECK(pdp[0]["feature_name"] == "x");
  CHECK(pdp[0]["data_type"] == "numerical");
  REQUIRE(pdp[0]["feature_values"].size() == 8);
  CHECK(pdp[0]["model_predictions"][0][7].get<double>() >
        pdp[0]["model_predictions"][0][0].get<double>() + 0.5);
  CHECK(pdp[1]["feature_values"].size() == 2);
  // A row's values and the expected one sum to the log odds of its answer.
  auto out = read_table(context.objects(), "s3://b/why/explanations_shap/out.csv");
  REQUIRE(out);
  CHECK(out->names() == std::vector<std::string>{"x_label0", "colour_label0", "noise_label0"});
  auto model = LoadedModel::load(context.objects(), "s3://b/model");
  auto rows = read_table(context.objects(), "s3://b/raw/a.csv");
  auto answers = (*model)->predict(*rows);
  REQUIRE(answers);
  for (std::size_t i = 0; i < 20; ++i) {
    double sum = shap["expected_value"];
    for (const Column& column : out->columns) sum += column.numbers[i];
    CHECK(1 / (1 + std::exp(-sum)) == doctest::Approx(static_cast<double>(answers->values[i])).epsilon(1e-4));
  }
  CHECK(context.objects().read("s3://b/why/shap_swarm.svg")->find("<circle") != std::string::npos);
  // Rows that are features already say the same of the features.
  const Json prepared =
      run_processor(context, "explain", {{"dataset", "s3://b/prepared/train/"}, {"model", "s3://b/model"}},
                    "s3://b/why2/", R"({"methods": {"shap": {}}})");
  CHECK(prepared["explanations"]["tree_shap"]["label0"]["global_shap_values"]["x"].get<double>() ==
        doctest::Approx(global["x"].get<double>()).epsilon(1e-5));
}

TEST_CASE("explain: kernel shap of a linear model is exact and adds up to its answers") {
  TestContext context;
  write_shop(context);
  train_shop(context, "linear-learner", {{"predictor_type", "binary_classifier"}}, "s3://b/model");
  const Json result =
      run_processor(context, "explain", {{"dataset", "s3://b/raw/"}, {"model", "s3://b/model"}},
                    "s3://b/why/", R"({"methods": {"shap": {"use_logit": true, "max_rows": 30,
                          "num_clusters": 1}}, "label_headers": ["bought"]})");
  const Json& shap = result["explanations"]["kernel_shap"]["bought"];
  CHECK(shap["global_shap_values"]["x"].get<double>() > shap["global_shap_values"]["noise"].get<double>());
  auto out = read_table(context.objects(), "s3://b/why/explanations_shap/out.csv");
  auto model = LoadedModel::load(context.objects(), "s3://b/model");
  auto rows = read_table(context.objects(), "s3://b/raw/a.csv");
  auto answers = (*model)->predict(*rows);
  REQUIRE(out);
  REQUIRE(out->rows == 30);
  // With one baseline row a linear model's log odds move with x alone: value / (x - mean) is its weight.
  auto baseline = read_table(context.objects(), "s3://b/why/explanations_shap/baseline.csv");
  const double mean = baseline->find("x")->numbers[0];
  const auto weight = [&](std::size_t i) {
    return out->find("x_bought")->numbers[i] / (rows->find("x")->numbers[i * 50] - mean);
  };
  for (std::size_t i = 1; i < 30; ++i) CHECK(weight(i) == doctest::Approx(weight(0)).epsilon(1e-2));
}

TEST_CASE("explain: wrong settings, and stopping") {
  TestContext context;
  write_shop(context);
  train_shop(context, "linear-learner", {{"predictor_type", "binary_classifier"}}, "s3://b/model");
  const auto message = [&](const char* settings) {
    ProcessingInputs request;
    request.inputs = {{"dataset", "s3://b/raw/"}, {"model", "s3://b/model"}};
    request.outputs = {{"out", "s3://b/why"}};
    request.settings = Json::parse(settings);
    auto result = find_processor("explain")->run(request, context);
    REQUIRE(!result);
    return result.error().message;
  };
  CHECK(message(R"({"methods": {"shapp": {}}})").find("did you mean \"shap\"?") != std::string::npos);
  CHECK(message(R"({"methods": {"shap": {"num_sample": 3}}})").find("did you mean \"num_samples\"?") !=
        std::string::npos);
  CHECK(message(R"({"methods": {"shap": {"algorithm": "tree"}}})") ==
        "methods.shap.algorithm: the model has no trees");
  CHECK(message(R"({"methods": {"pdp": {"features": ["color"]}}})") ==
        "methods.pdp.features: there is no column \"color\"; did you mean \"colour\"?");
  CHECK(
      message(R"({"methods": {"permutation": {"metric": "rmse"}}})").find("is no metric of a binary model") !=
      std::string::npos);
  context.cancel = true;
  CHECK(message(R"({"methods": {"shap": {}}})").find("cancel") != std::string::npos);
}

TEST_CASE("clarify: its image and its configuration do both in one analysis.json") {
  TestContext context;
  write_shop(context);
  train_shop(context, "xgboost", {{"objective", "binary:logistic"}, {"num_round", "5"}}, "s3://b/model");
  const Json result =
      run_processor(context, "123.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0",
                    {{"dataset", "s3://b/raw/"}, {"model", "s3://b/model"}}, "s3://b/clarify/",
                    R"({"dataset_type": "text/csv", "label": "bought", "label_values_or_threshold": ["yes"],
              "facet": [{"name_or_index": "colour", "value_or_threshold": ["blue"]}],
              "methods": {"report": {"name": "report", "title": "Analysis"}, "pre_training_bias": {"methods": "all"},
              "post_training_bias": {"methods": "all"}, "shap": {"agg_method": "mean_abs",
              "save_local_shap_values": false}}, "predictor": {"accept_type": "text/csv"}})");
  const Json written = Json::parse(*context.objects().read("s3://b/clarify/analysis.json"));
  for (const char* part : {"pre_training_bias_metrics", "post_training_bias_metrics", "explanations"}) {
    CHECK(result.contains(part));
    CHECK(written.contains(part));
  }
  CHECK(context.objects().read("s3://b/clarify/bias_report.html").has_value());
  CHECK(!context.objects().read("s3://b/clarify/explanations_shap/out.csv"));
  ProcessingInputs nothing;
  nothing.settings = Json::object();
  CHECK(find_processor("sagemaker-clarify-processing")
            ->check(nothing)
            .error()
            .message.find("methods: none of") == 0);
}
