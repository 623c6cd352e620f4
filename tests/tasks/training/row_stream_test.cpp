#include "tasks/training/row_stream.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/training/channel_data.h"
#include "tasks/training/train.h"
#include "tests/tasks/support/fake_context.h"
#include "tests/tasks/support/model_files.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json pipe_request(const std::string& mode = "Pipe") {
  return Json::parse(R"({
    "TrainingJobName": "stream-1",
    "AlgorithmSpecification": {"TrainingImage": "linear-learner", "TrainingInputMode": ")" +
                     mode + R"("},
    "HyperParameters": {"predictor_type": "binary_classifier", "epochs": "2", "mini_batch_size": "200"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train/"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://b/models/"}})");
}

// label, three features; the label follows from the first two. `from`: the number of the first row.
std::string sample_rows(std::size_t rows, std::uint64_t seed, const char* line_end = "\n") {
  Random random(seed);
  std::string text;
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.normal() * 40 + 100, b = random.normal() * 0.01, c = random.normal();
    const double score = (a - 100) / 40 * 2 - b * 150;
    const bool label = random.uniform() < 1 / (1 + std::exp(-score));
    char line[96];
    std::snprintf(line, sizeof line, "%d,%.3f,%.5f,%.4f%s", label ? 1 : 0, a, b, c, line_end);
    text += line;
  }
  return text;
}

void put_object(FakeContext& context, const std::string& key, const std::string& bytes) {
  REQUIRE(context.objects().write("s3://b/" + key, bytes).has_value());
}

TrainingSpec spec_of(const Json& json) {
  auto spec = parse_training_spec(json);
  REQUIRE_MESSAGE(spec, (spec ? "" : spec.error().message));
  return *spec;
}

std::string stream_error_of(const Json& json, FakeContext& context) {
  const auto spec = parse_training_spec(json);
  if (!spec) return spec.error().message;
  const auto result = run_training(*spec, context);
  return result ? "trained" : result.error().message;
}

// All blocks of a pass, one below the other.
Dataset drain(RowStream& stream) {
  Dataset all = stream.head();
  RowBlock block;
  for (;;) {
    const auto more = stream.next(block);
    REQUIRE_MESSAGE(more, (more ? "" : more.error().message));
    if (!*more) return all;
    CHECK(block.first_row == static_cast<std::int64_t>(all.X.rows));
    all.X.cols = block.X.cols, all.X.rows += block.X.rows;
    all.X.values.insert(all.X.values.end(), block.X.values.begin(), block.X.values.end());
    all.y.insert(all.y.end(), block.y.begin(), block.y.end());
    all.weights.insert(all.weights.end(), block.weights.begin(), block.weights.end());
  }
}

}  // namespace

TEST_CASE("row stream: the rows that the whole channel has, pass after pass") {
  FakeContext context;
  // More than two pieces, line ends of both kinds, a last line without one, blank lines.
  put_object(context, "train/a.csv", "w,y,x0,x1\n" + sample_rows(80'000, 1));
  put_object(context, "train/b.csv", "w,y,x0,x1\r\n\r\n" + sample_rows(1'000, 2, "\r\n") + "0.5,1,2,3");
  Json json = pipe_request();
  json["HyperParameters"]["target"] = "y";
  json["HyperParameters"]["weight"] = "w";
  const TrainingSpec spec = spec_of(json);
  const auto whole = read_channel(context.objects(), spec, spec.train, nullptr, {});
  REQUIRE_MESSAGE(whole, (whole ? "" : whole.error().message));
  double last_fraction = 0;
  RowStreamOptions options;
  options.progress = [&](std::int64_t, double fraction) { last_fraction = fraction; };
  const auto stream = open_row_stream(context.objects(), spec, spec.train, options);
  REQUIRE_MESSAGE(stream, (stream ? "" : stream.error().message));
  for (int pass = 0; pass < 2; ++pass) {
    const Dataset rows = drain(**stream);
    CHECK(rows.feature_names == whole->data.feature_names);
    CHECK(rows.target_name == "y");
    CHECK(rows.X.values == whole->data.X.values);
    CHECK(rows.weights.size() == whole->data.weights.size());
    CHECK(rows.y.size() == whole->data.y.size());
    for (std::size_t i = 0; i < rows.y.size(); i += 97) CHECK(rows.y[i] == doctest::Approx(whole->data.y[i]));
    CHECK((*stream)->rows() == static_cast<std::int64_t>(whole->data.X.rows));
    CHECK((*stream)->sha256() == whole->sha256);
    CHECK(last_fraction == doctest::Approx(1));
    REQUIRE((*stream)->rewind());
  }
  // The rows it expects after the first piece are those that come, about.
  RowBlock block;
  REQUIRE(*(*stream)->next(block));
  CHECK((*stream)->rows_expected() == doctest::Approx(81'001).epsilon(0.05));
}

TEST_CASE("row stream: one that is not read to its end is given up") {
  FakeContext context;
  put_object(context, "train/a.csv", sample_rows(200'000, 1));
  const TrainingSpec spec = spec_of(pipe_request());
  RowBlock block;
  const auto stream = open_row_stream(context.objects(), spec, spec.train, {});
  REQUIRE(stream);
  REQUIRE(*(*stream)->next(block));
}

TEST_CASE(
    "Pipe mode: linear-learner learns from a stream what it learns from memory, the same bytes each time") {
  FakeContext context;
  put_object(context, "train/a.csv", sample_rows(60'000, 1));
  put_object(context, "train/b.csv", sample_rows(60'000, 2));
  put_object(context, "validation.csv", sample_rows(20'000, 3));
  const auto train = [&](const std::string& mode) {
    Json json = pipe_request(mode);
    json["TrainingJobName"] = "train-" + mode;
    json["InputDataConfig"].push_back(
        {{"ChannelName", "validation"},
         {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/validation.csv"}}}}}});
    const auto result = run_training(spec_of(json), context);
    REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
    return *result;
  };
  const TrainResult file = train("File"), pipe = train("Pipe");
  const auto card = [&](const TrainResult& result) {
    return Json::parse(model_file(context.objects(), result.model_uri, "model_card.json"));
  };
  CHECK(card(pipe)["data"]["train"]["rows"] == 120'000);
  CHECK(card(pipe)["data"]["train"]["sha256"] == card(file)["data"]["train"]["sha256"]);
  CHECK(card(pipe)["features"] == card(file)["features"]);
  CHECK(file.metrics.at("validation:roc_auc_score") > 0.8);
  CHECK(pipe.metrics.at("validation:roc_auc_score") > file.metrics.at("validation:roc_auc_score") - 0.002);
  CHECK(pipe.metrics.at("validation:objective_loss") < file.metrics.at("validation:objective_loss") + 0.003);
  CHECK(card(train("Pipe"))["model_sha256"] == card(pipe)["model_sha256"]);
  CHECK(card(train("FastFile"))["model_sha256"] == card(file)["model_sha256"]);
}

TEST_CASE("Pipe mode: errors name the object, line or row") {
  FakeContext context;
  const std::string good = sample_rows(50'000, 1);
  put_object(context, "train/a.csv", good);
  put_object(context, "train/b.csv", sample_rows(10, 2) + "1,2,x,4\n");
  CHECK(stream_error_of(pipe_request(), context) == "s3://b/train/b.csv:11: cell 3: \"x\" is not a number");
  put_object(context, "train/b.csv", sample_rows(10, 2) + "1,2,,4\n");
  CHECK(stream_error_of(pipe_request(), context) ==
        "train: s3://b/train/b.csv: row 11, column 'f1': the value is missing");
  put_object(context, "train/b.csv", "1,2,3\n");
  CHECK(stream_error_of(pipe_request(), context) == "s3://b/train/b.csv:1: 3 cells, expected 4");
  put_object(context, "train/b.csv", "7,2,3,4\n");
  CHECK(stream_error_of(pipe_request(), context) ==
        "train: s3://b/train/b.csv: row 1: the target is 7, expected a class from 0 to 1");

  Json json = pipe_request();
  json["HyperParameters"]["positive_example_weight_mult"] = "balanced";
  CHECK(stream_error_of(json, context) ==
        "positive_example_weight_mult: balanced needs all rows at once, which Pipe mode never has");
  json = pipe_request();
  json["AlgorithmSpecification"]["TrainingInputMode"] = "Stream";
  CHECK(stream_error_of(json, context).starts_with("AlgorithmSpecification.TrainingInputMode"));
  json = pipe_request("File");
  json["InputDataConfig"][0]["InputMode"] = "Pipe";
  json["AlgorithmSpecification"]["TrainingImage"] = "mlp";
  json["HyperParameters"] = {{"predictor_type", "binary_classifier"}};
  CHECK(stream_error_of(json, context)
            .starts_with("InputDataConfig[0].InputMode: Pipe: mlp does not train on a stream"));
  json["AlgorithmSpecification"]["TrainingImage"] = "xgboost";
  json["HyperParameters"] = {{"num_round", "2"}, {"booster", "gblinear"}};
  CHECK(stream_error_of(json, context) == "booster gblinear does not train on a stream");

  put_object(context, "heads/a.csv", "y,a,b\n1,2,3\n0,1,1\n");
  put_object(context, "heads/b.csv", "y,b,a\n1,2,3\n");
  json = pipe_request();
  json["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://b/heads/";
  CHECK(stream_error_of(json, context) ==
        "s3://b/heads/b.csv: its columns are not those of s3://b/heads/a.csv");
}

TEST_CASE(
    "Pipe mode: what other algorithms learn from a stream of some megabytes, beside what they learn in "
    "memory") {
  FakeContext context;
  put_object(context, "train/a.csv", sample_rows(60'000, 11));
  put_object(context, "train/b.csv", sample_rows(20'000, 12));
  const auto train = [&](const std::string& algorithm, const std::string& mode, Json parameters,
                         const std::string& type = "text/csv;label_size=0", Json more = Json::object()) {
    Json json = pipe_request(mode);
    json["AlgorithmSpecification"]["TrainingImage"] = algorithm;
    json["TrainingJobName"] = algorithm + "-" + mode;
    json["HyperParameters"] = std::move(parameters);
    json["InputDataConfig"][0]["ContentType"] = type;
    json.update(more);
    const auto result = run_training(spec_of(json), context);
    REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
    return *result;
  };
  const auto bytes = [&](const TrainResult& result) {
    const bool xgboost = result.model_uri.find("/xgboost-") != std::string::npos;
    return model_file(context.objects(), result.model_uri, xgboost ? "xgboost-model" : "model.bin");
  };
  SUBCASE("randomcutforest: the same model") {
    for (const char* decay : {"0", "0.0001"}) {
      const Json parameters = {{"num_trees", "50"}, {"num_samples_per_tree", "64"}, {"time_decay", decay}};
      CHECK(bytes(train("randomcutforest", "Pipe", parameters)) ==
            bytes(train("randomcutforest", "File", parameters)));
    }
  }
  SUBCASE("xgboost: the same model") {
    put_object(context, "train/c.csv", "1,,0.01,2\n0,3,,1\n");  // missing values, in the last object alone
    for (Json parameters : {Json{{"subsample", "0.7"}, {"max_depth", "8"}},
                            Json{{"booster", "dart"}, {"rate_drop", "0.5"}, {"max_bin", "1000"}}}) {
      parameters.update({{"num_round", "12"}, {"objective", "binary:logistic"}});
      const TrainResult file = train("xgboost", "File", parameters, "text/csv");
      const std::string bytes_of_file = bytes(file);
      const TrainResult pipe = train("xgboost", "Pipe", parameters, "text/csv");
      CHECK(bytes(pipe) == bytes_of_file);
      CHECK(pipe.metrics == file.metrics);
      const Json keep = {
          {"CheckpointConfig", {{"S3Uri", "s3://b/checkpoints" + parameters.dump().substr(2, 4)}}}};
      CHECK(bytes(train("xgboost", "Pipe", parameters, "text/csv", keep)) == bytes_of_file);
      const TrainResult resumed = train("xgboost", "Pipe", parameters, "text/csv", keep);
      CHECK(resumed.history.front().round == 10);
      CHECK(bytes(resumed) == bytes_of_file);
    }
  }
  SUBCASE("pca: the same directions") {
    for (const char* mode : {"regular", "randomized"}) {
      const Json parameters = {{"num_components", "2"}, {"algorithm_mode", mode}};
      const TrainResult pipe = train("pca", "Pipe", parameters), file = train("pca", "File", parameters);
      CHECK(pipe.metrics.at("train:explained_variance_ratio") ==
            doctest::Approx(file.metrics.at("train:explained_variance_ratio")).epsilon(1e-9));
      Matrix rows(2, 4);
      rows.values = {1, 100, 0.01f, 0.5f, 0, 60, -0.02f, -1};
      const EstimatorKind* kind = find_estimator("pca");
      const Matrix a = *(*kind->load(bytes(pipe)))->predict(rows),
                   b = *(*kind->load(bytes(file)))->predict(rows);
      for (std::size_t i = 0; i < a.values.size(); ++i)
        CHECK(a.values[i] == doctest::Approx(b.values[i]).epsilon(1e-5));
    }
  }
  SUBCASE("kmeans: as near to the rows") {
    const TrainResult pipe = train("kmeans", "Pipe", {{"k", "7"}, {"epochs", "3"}}),
                      file = train("kmeans", "File", {{"k", "7"}});
    CHECK(pipe.rounds == 3);
    CHECK(pipe.metrics.at("train:msd") < file.metrics.at("train:msd") * 1.01);
    CHECK(bytes(pipe) == bytes(train("kmeans", "Pipe", {{"k", "7"}, {"epochs", "3"}})));
  }
  SUBCASE("factorization-machines: as well, and on from a checkpoint") {
    const Json parameters = {{"predictor_type", "regressor"},
                             {"num_factors", "2"},
                             {"epochs", "11"},
                             {"linear_lr", "0.001"},
                             {"factors_lr", "0.0001"},
                             {"mini_batch_size", "500"},
                             {"bias_lr", "0.02"}};
    const TrainResult pipe = train("factorization-machines", "Pipe", parameters, "text/csv"),
                      file = train("factorization-machines", "File", parameters, "text/csv");
    CHECK(pipe.metrics.at("train:rmse") < file.metrics.at("train:rmse") * 1.1);
    const Json keep = {{"CheckpointConfig", {{"S3Uri", "s3://b/checkpoints"}}}};
    CHECK(bytes(train("factorization-machines", "Pipe", parameters, "text/csv", keep)) == bytes(pipe));
    const TrainResult resumed = train("factorization-machines", "Pipe", parameters, "text/csv", keep);
    CHECK(resumed.history.front().round == 10);
    CHECK(bytes(resumed) == bytes(pipe));
    Json categorical = parameters;
    categorical["categorical_features"] = "all";
    Json json = pipe_request();
    json["AlgorithmSpecification"]["TrainingImage"] = "factorization-machines";
    json["HyperParameters"] = categorical;
    CHECK(stream_error_of(json, context) ==
          "categorical_features need all rows at once, which Pipe mode never has");
  }
}
