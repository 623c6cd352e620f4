#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/read_table.h"
#include "tasks/processing/processors.h"
#include "tasks/training/model_artifact.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json run(TestContext& context, const char* processor, std::vector<NamedUri> inputs, const char* output,
         const char* settings) {
  ProcessingInputs request;
  request.inputs = std::move(inputs);
  request.outputs = {{"out", output}};
  request.settings = Json::parse(settings);
  auto result = find_processor(processor)->run(request, context);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  return *result;
}

Dataset prepared_dataset(TestContext& context) {
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
  return data;
}

}  // namespace

TEST_CASE("split, prepare, fit, evaluate: raw and prepared test rows give the same report") {
  TestContext context;
  Random random(9);
  std::string csv = "x,colour,bought\n";
  for (int i = 0; i < 3000; ++i) {
    const double x = 10 + 5 * random.normal();
    const bool red = random.below(2) != 0;
    const double p = 1 / (1 + std::exp(-((x - 10) / 5 * 2 + (red ? 1 : -1))));
    csv += std::to_string(x) + (red ? ",red," : ",blue,") + (random.uniform() < p ? "yes\n" : "no\n");
  }
  REQUIRE(context.objects().write("s3://b/raw/a.csv", csv));
  run(context, "split", {{"data", "s3://b/raw/"}}, "s3://b/split/", R"({"train":0.7,"test":0.3})");
  run(context, "prepare", {{"train", "s3://b/split/train/"}, {"test", "s3://b/split/test/"}},
      "s3://b/prepared/", R"({"target":"bought","steps":[{"step":"scale"},{"step":"one_hot"}]})");

  auto table = prepared_dataset(context);
  const EstimatorKind* kind = find_estimator("xgboost");
  REQUIRE(kind != nullptr);
  auto estimator = kind->make({{"objective", "binary:logistic"}, {"num_round", "20"}, {"max_depth", "3"}});
  REQUIRE(estimator);
  auto fitted = (*estimator)->fit(table, nullptr, FitContext{});
  REQUIRE_MESSAGE(fitted.has_value(), fitted.error().message);
  ModelFiles files;
  files.model_bytes = fitted->model->save();
  files.card = {{"algorithm", "xgboost"},
                {"task", "binary"},
                {"target", "bought"},
                {"features", table.feature_names},
                {"pipeline", true}};
  files.card["model_sha256"] = digest_hex(Digest::Sha256, files.model_bytes);
  files.pipeline = Json::parse(*context.objects().read("s3://b/prepared/train/_pipeline.json"));
  REQUIRE(save_model(context.objects(), "s3://b/model", files));

  const std::vector<NamedUri> prepared = {{"test", "s3://b/prepared/test/"}, {"model", "s3://b/model"}};
  const std::vector<NamedUri> raw = {
      {"test", "s3://b/split/test/"}, {"model", "s3://b/model"}, {"champion", "s3://b/model"}};
  const Json a = run(context, "evaluate", prepared, "s3://b/eval/", R"({"bootstrap":50})");
  Json b = run(context, "evaluate", raw, "s3://b/eval2/", R"({"bootstrap":50})");
  CHECK(b["comparison"]["auc"]["difference"] == 0);
  for (const char* plot : {"roc.svg", "precision_recall.svg"}) {
    CHECK(context.objects().read(join_uri("s3://b/eval2/", plot))->find(">champion<") != std::string::npos);
    CHECK(context.objects().read(join_uri("s3://b/eval/", plot))->find(">champion<") == std::string::npos);
  }
  b.erase("comparison");
  b["binary_classification_metrics"].erase("confusion_matrix");
  Json a_numbers = a;
  a_numbers["binary_classification_metrics"].erase("confusion_matrix");
  CHECK(a_numbers == b);
  CHECK(a["binary_classification_metrics"]["auc"]["value"].get<double>() >
        0.85);  // the best possible is about 0.9
  CHECK(a["rows"] == 900);
  CHECK(Json::parse(*context.objects().read("s3://b/eval/evaluation.json")) == a);
  for (const char* plot : {"roc.svg", "calibration.svg", "confusion.svg", "precision_recall.svg"}) {
    auto svg = context.objects().read(join_uri("s3://b/eval/", plot));
    REQUIRE(svg);
    CHECK(svg->size() < 200'000);
    if (const char* keep = std::getenv("MILLRACE_KEEP_PLOTS"))
      REQUIRE(replace_file(std::filesystem::path(keep) / plot, *svg));
  }
}

TEST_CASE("evaluate: rows without a header, as training takes them, are the rows with one") {
  TestContext context;
  Random random(3);
  std::string rows;
  for (int i = 0; i < 300; ++i) {
    const double x = random.normal();
    rows += std::string(x + random.normal() > 0 ? "1," : "0,") + std::to_string(x) + "," +
            std::to_string(random.normal()) + "\n";
  }
  const std::string uri = "s3://b/model";
  Dataset data;
  data.feature_names = {"f0", "f1"}, data.X = Matrix(40, 2);
  for (std::size_t i = 0; i < 40; ++i) {
    data.X.at(i, 0) = static_cast<float>(i) - 20, data.X.at(i, 1) = static_cast<float>(i % 3);
    data.y.push_back(i > 20 ? 1 : 0);
  }
  const EstimatorKind* kind = find_estimator("xgboost");
  auto estimator = kind->make({{"objective", "binary:logistic"}, {"num_round", "5"}});
  REQUIRE(estimator);
  auto fitted = (*estimator)->fit(data, nullptr, FitContext{});
  REQUIRE_MESSAGE(fitted.has_value(), fitted.error().message);
  ModelFiles files;
  files.model_bytes = fitted->model->save();
  files.card = {{"algorithm", "xgboost"},
                {"task", "binary"},
                {"target", "target"},
                {"features", {"f0", "f1"}},
                {"pipeline", false}};
  files.card["model_sha256"] = digest_hex(Digest::Sha256, files.model_bytes);
  REQUIRE(save_model(context.objects(), uri, files));
  REQUIRE(context.objects().write("s3://b/plain/a.csv", rows));
  REQUIRE(context.objects().write("s3://b/named/a.csv", "target,f0,f1\n" + rows));
  const Json plain =
      run(context, "evaluate", {{"test", "s3://b/plain/"}, {"model", uri}}, "s3://b/e1/", "{}");
  CHECK(plain["rows"] == 300);
  CHECK(plain == run(context, "evaluate", {{"test", "s3://b/named/"}, {"model", uri}}, "s3://b/e2/", "{}"));
  run(context, "explain", {{"dataset", "s3://b/plain/"}, {"model", uri}}, "s3://b/x/",
      R"({"methods":{"shap":{}}})");

  REQUIRE(context.objects().write("s3://b/short/a.csv", "1\n0\n"));
  ProcessingInputs request;
  request.inputs = {{"test", "s3://b/short/"}, {"model", uri}};
  request.outputs = {{"out", "s3://b/e3/"}};
  request.settings = Json::object();
  const auto refused = find_processor("evaluate")->run(request, context);
  REQUIRE(!refused);
  CHECK(refused.error().message ==
        "input \"test\": s3://b/short/a.csv has no header and 1 cell a row, but the model takes 2");
}
