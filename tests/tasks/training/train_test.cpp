#include "tasks/training/train.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tests/tasks/support/fake_context.h"
#include "tests/tasks/support/model_files.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json request() {
  return Json::parse(R"({
    "TrainingJobName": "job-1",
    "AlgorithmSpecification": {"TrainingImage": "xgboost"},
    "HyperParameters": {"num_round": "4", "objective": "binary:logistic", "eval_metric": "auc,logloss", "subsample": 0.8},
    "InputDataConfig": [
      {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/data/train/"}}},
      {"ChannelName": "validation", "ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/data/validation/"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://b/models/"}})");
}

// Columns y, x0, x1, …, with or without a header.
std::string csv(const Dataset& data, bool header) {
  std::string text;
  if (header) {
    text = "y";
    for (const std::string& name : data.feature_names) text += "," + name;
    text += "\n";
  }
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    text += std::to_string(static_cast<int>(data.y[i]));
    for (std::size_t j = 0; j < data.X.cols; ++j) text += "," + std::to_string(data.X.at(i, j));
    text += "\n";
  }
  return text;
}

void put(FakeContext& context, const std::string& key, const std::string& bytes) {
  REQUIRE(context.objects().write("s3://b/" + key, bytes).has_value());
}

void put_samples(FakeContext& context, bool header = true) {
  put(context, "data/train/part-0.csv", csv(sample_data(SampleTask::Binary, 300, 4, 1), header));
  put(context, "data/train/part-1.csv", csv(sample_data(SampleTask::Binary, 100, 4, 2), header));
  put(context, "data/validation/all.csv", csv(sample_data(SampleTask::Binary, 100, 4, 3), header));
}

std::string refusal(const std::function<void(Json&)>& change) {
  Json json = request();
  change(json);
  const auto spec = parse_training_spec(json);
  return spec ? "accepted" : spec.error().message;
}

std::string error_of(const Json& json, FakeContext& context) {
  const auto spec = parse_training_spec(json);
  REQUIRE(spec.has_value());
  const auto result = run_training(*spec, context);
  return result ? "trained" : result.error().message;
}

Json card_of(FakeContext& context, const std::string& uri) {
  return Json::parse(model_file(context.objects(), uri, "model_card.json"));
}

}  // namespace

TEST_CASE("training spec: reads SageMaker's request") {
  const auto spec = parse_training_spec(request());
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  CHECK(spec->job_name == "job-1");
  CHECK(spec->kind->name == "xgboost");
  CHECK(spec->parameters.at("subsample") == "0.8");
  CHECK(spec->train.uri == "s3://b/data/train/");
  CHECK(spec->validation->uri == "s3://b/data/validation/");
  CHECK(spec->model_uri() == "s3://b/models/job-1/output/model.tar.gz");
  CHECK(spec->seed == 0);
}

TEST_CASE("training spec: errors name the field") {
  CHECK(refusal([](Json& j) { j.erase("TrainingJobName"); }) == "TrainingJobName is required");
  CHECK(
      refusal([](Json& j) { j["AlgorithmSpecification"]["TrainingImage"] = "xgbost"; }) ==
      "AlgorithmSpecification.TrainingImage: 'xgbost' is not a built-in algorithm: did you mean 'xgboost'?");
  CHECK(refusal([](Json& j) { j["HyperParameters"]["eta"] = "2"; }) ==
        "HyperParameters: hyperparameter 'eta' is '2': expected a number from 0 to 1");
  CHECK(refusal([](Json& j) { j["HyperParameters"]["seed"] = "-3"; }) ==
        "HyperParameters.seed is '-3': expected an integer of at least 0");
  CHECK(refusal([](Json& j) { j["InputDataConfig"][1]["ChannelName"] = "test"; }) ==
        "InputDataConfig[1].ChannelName: 'test' is not a channel of xgboost: expected train or validation");
  CHECK(refusal([](Json& j) { j["InputDataConfig"][1]["ChannelName"] = "train"; }) ==
        "InputDataConfig[1].ChannelName: there are two channels 'train'");
  CHECK(refusal([](Json& j) { j["InputDataConfig"].erase(0); }) ==
        "InputDataConfig: a channel named train is required");
  CHECK(refusal([](Json& j) { j["InputDataConfig"][0]["ContentType"] = "image/png"; }) ==
        "InputDataConfig[0].ContentType: 'image/png' is not supported: expected one of text/csv, "
        "application/jsonlines, text/libsvm, application/x-recordio-protobuf");
  CHECK(refusal([](Json& j) {
          j["InputDataConfig"][0]["CompressionType"] = "Lzma";
        }).find("InputDataConfig[0].CompressionType") == 0);
  CHECK(refusal([](Json& j) {
          j["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "/tmp/x";
        }).starts_with("InputDataConfig[0].DataSource.S3DataSource.S3Uri: "));
  CHECK(refusal([](Json& j) { j["OutputDataConfig"].erase("S3OutputPath"); }) ==
        "OutputDataConfig.S3OutputPath is required");
}

TEST_CASE("run_training: model, card, metrics, progress and log; the same bytes when run again") {
  FakeContext context;
  put_samples(context);
  const auto spec = parse_training_spec(request());
  const auto result = run_training(*spec, context);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  CHECK(result->metrics.at("validation:auc") > 0.85);
  CHECK(result->rounds == 4);
  CHECK(result->history.size() == 4 * 4);
  const std::string model = model_file(context.objects(), result->model_uri, "xgboost-model");
  const std::string card_text = model_file(context.objects(), result->model_uri, "model_card.json");
  const Json card = Json::parse(card_text);
  CHECK(card["algorithm"] == "xgboost");
  CHECK(card["task"] == "binary");
  CHECK(card["target"] == "y");
  CHECK(card["features"] == Json{"x0", "x1", "x2", "x3"});
  CHECK(card["data"]["train"]["rows"] == 400);
  CHECK(card["hyperparameters"]["num_round"] == "4");
  CHECK(card["model_sha256"] == digest_hex(Digest::Sha256, model));
  CHECK(card["metrics"]["validation:auc"] == result->metrics.at("validation:auc"));
  CHECK(std::ranges::count_if(context.lines,
                              [](const std::string& l) { return l.starts_with("[3]\ttrain-auc:"); }) == 1);
  std::vector<std::string> phases;
  for (const Progress& p : context.reports) {
    if (phases.empty() || phases.back() != p.phase) phases.push_back(p.phase);
  }
  CHECK(phases == std::vector<std::string>{"Downloading", "Training", "Uploading"});

  REQUIRE(run_training(*spec, context).has_value());
  CHECK(model_file(context.objects(), result->model_uri, "xgboost-model") == model);
  CHECK(model_file(context.objects(), result->model_uri, "model_card.json") == card_text);
}

TEST_CASE("run_training: data without a header has its target first and gives the same trees") {
  FakeContext with, without;
  put_samples(with), put_samples(without, false);
  const auto spec = parse_training_spec(request());
  const auto a = run_training(*spec, with), b = run_training(*spec, without);
  REQUIRE(a.has_value());
  REQUIRE_MESSAGE(b.has_value(), (b ? "" : b.error().message));
  CHECK(a->metrics == b->metrics);
  CHECK(card_of(without, b->model_uri)["features"] == Json{"f0", "f1", "f2", "f3"});
}

TEST_CASE("run_training: the same rows in another form give the same trees") {
  const Dataset train = sample_data(SampleTask::Binary, 300, 4, 1);
  std::string lines, augmented, libsvm;
  for (std::size_t i = 0; i < train.y.size(); ++i) {
    std::string members, array, cells;
    for (std::size_t j = 0; j < train.X.cols; ++j) {
      const std::string value = std::to_string(train.X.at(i, j));
      members += ",\"" + train.feature_names[j] + "\":" + value;
      array += (j ? "," : "") + value;
      cells += " " + std::to_string(j) + ":" + value;
    }
    const std::string y = std::to_string(static_cast<int>(train.y[i]));
    lines += "{\"y\":" + y + members + "}\n";
    augmented += "{\"id\":" + std::to_string(i) + ",\"x\":[" + array + "],\"y\":" + y + "}\n";
    libsvm += y + cells + "\n";
  }
  struct Form {
    const char* name;
    std::string bytes;
    std::function<void(Json& channel)> change;
  };
  const auto source = [](Json& channel) -> Json& { return channel["DataSource"]["S3DataSource"]; };
  const Form kForms[] = {
      {"rows", lines, [](Json& channel) { channel["ContentType"] = "application/jsonlines"; }},
      {"rows", libsvm, [](Json& channel) { channel["ContentType"] = "text/libsvm"; }},
      {"rows", augmented,
       [&](Json& channel) {
         source(channel)["S3DataType"] = "AugmentedManifestFile";
         source(channel)["AttributeNames"] = {"y", "x"};
       }},
      {"rows", augmented,
       [&](Json& channel) {  // as AWS wants it
         source(channel)["S3DataType"] = "AugmentedManifestFile";
         source(channel)["AttributeNames"] = {"y", "x"};
         channel["InputMode"] = "Pipe", channel["ContentType"] = "application/x-recordio";
         channel["RecordWrapperType"] = "RecordIO";
       }},
      {"manifest", R"([{"prefix":"s3://b/data/"},"train/all.csv"])",
       [&](Json& channel) { source(channel)["S3DataType"] = "ManifestFile"; }}};
  FakeContext plain;
  put(plain, "data/train/all.csv", csv(train, true));
  Json without_validation = request();
  without_validation["InputDataConfig"].erase(1);
  const auto expected = run_training(*parse_training_spec(without_validation), plain);
  REQUIRE(expected.has_value());
  for (const Form& form : kForms) {
    CAPTURE(form.bytes.substr(0, 40));
    FakeContext context;
    put(context, "data/train/all.csv", csv(train, true));
    put(context, std::string("other/") + form.name, form.bytes);
    Json json = without_validation;
    source(json["InputDataConfig"][0])["S3Uri"] = std::string("s3://b/other/") + form.name;
    form.change(json["InputDataConfig"][0]);
    const auto spec = parse_training_spec(json);
    REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
    const auto result = run_training(*spec, context);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
    CHECK(result->metrics == expected->metrics);
  }
}

TEST_CASE("training spec: forms of channels that do not go together") {
  const auto channel = [](const std::function<void(Json&)>& change) {
    return refusal([&](Json& j) { change(j["InputDataConfig"][0]); });
  };
  CHECK(channel([](Json& c) { c["DataSource"]["S3DataSource"]["S3DataType"] = "Else"; }) ==
        "InputDataConfig[0].DataSource.S3DataSource.S3DataType: 'Else' is not supported: expected one of "
        "S3Prefix, "
        "ManifestFile, AugmentedManifestFile");
  CHECK(channel([](Json& c) { c["DataSource"]["S3DataSource"]["S3DataType"] = "AugmentedManifestFile"; }) ==
        "InputDataConfig[0].DataSource.S3DataSource.AttributeNames: an AugmentedManifestFile needs the "
        "attributes "
        "to read");
  CHECK(channel([](Json& c) { c["DataSource"]["S3DataSource"]["AttributeNames"] = {"a"}; }) ==
        "InputDataConfig[0].DataSource.S3DataSource.AttributeNames: only an AugmentedManifestFile has "
        "attributes");
}

TEST_CASE("run_training: a target named anywhere, texts as classes, weights, columns by name in any order") {
  FakeContext context;
  std::string train = "a,label,w,b\n", validation = "label,b,a,w\n";
  Random random(4);
  for (int i = 0; i < 200; ++i) {
    const double a = random.normal(), b = random.normal();
    const std::string label = a > 0 ? "yes" : "no";
    train += std::to_string(a) + "," + label + ",1," + std::to_string(b) + "\n";
    validation += label + "," + std::to_string(b) + "," + std::to_string(a) + ",1\n";
  }
  put(context, "data/train/x.csv", train), put(context, "data/validation/x.csv", validation);
  Json json = request();
  json["HyperParameters"]["target"] = "label", json["HyperParameters"]["weight"] = "w";
  const auto result = run_training(*parse_training_spec(json), context);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  CHECK(result->metrics.at("validation:auc") > 0.99);
  const Json card = card_of(context, result->model_uri);
  CHECK(card["classes"] == Json{"no", "yes"});
  CHECK(card["features"] == Json{"a", "b"});

  put(context, "data/validation/x.csv", "label,b,a,w\nperhaps,1,2,1\n");
  CHECK(error_of(json, context) ==
        "validation: s3://b/data/validation/x.csv: row 1: class 'perhaps' is not in the train channel");
  put(context, "data/validation/x.csv", "label,b,w\nyes,1,2\n");
  CHECK(error_of(json, context) == "validation: there is no column 'a', which train has");
  json["HyperParameters"]["target"] = "lable";
  CHECK(error_of(json, context) == "train: there is no column 'lable'");
}

TEST_CASE("run_training: a job that was stopped goes on from its checkpoint and ends in the same model") {
  FakeContext whole, stopped;
  put_samples(whole), put_samples(stopped);
  Json json = request();
  json["HyperParameters"]["num_round"] = "35";
  const auto plain = run_training(*parse_training_spec(json), whole);
  REQUIRE(plain.has_value());
  json["CheckpointConfig"]["S3Uri"] = "s3://b/checkpoints/";
  const auto spec = parse_training_spec(json);
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  TrainHooks hooks;
  int rounds = 0;
  hooks.metric = [&](const MetricPoint& point) { rounds = static_cast<int>(point.round) + 1; };
  hooks.stop_early = [&](const MetricPoint&) { return rounds == 23; };
  REQUIRE(run_training(*spec, stopped, hooks).has_value());
  CHECK(rounds == 23);
  std::vector<std::int64_t> seen;
  hooks.metric = [&](const MetricPoint& point) { seen.push_back(point.round); };
  hooks.stop_early = nullptr;
  const auto rest = run_training(*spec, stopped, hooks);
  REQUIRE_MESSAGE(rest.has_value(), (rest ? "" : rest.error().message));
  CHECK(seen.front() == 20);
  CHECK(rest->rounds == 35);
  CHECK(rest->metrics == plain->metrics);
  CHECK(model_file(stopped.objects(), rest->model_uri, "xgboost-model") ==
        model_file(whole.objects(), plain->model_uri, "xgboost-model"));

  put(stopped, "checkpoints/job-1/xgboost-checkpoint", "{}");
  const auto damaged = run_training(*spec, stopped);
  REQUIRE(!damaged);
  CHECK(damaged.error().message == "s3://b/checkpoints/job-1/xgboost-checkpoint is not a whole checkpoint");
  CHECK(damaged.error().code == ErrorCode::DataLoss);
}

TEST_CASE("run_training: a checkpoint of other settings, or of an algorithm that keeps none, is left alone") {
  FakeContext context;
  put_samples(context);
  Json json = request();
  json["HyperParameters"]["num_round"] = "12";
  json["CheckpointConfig"]["S3Uri"] = "s3://b/checkpoints/";
  REQUIRE(run_training(*parse_training_spec(json), context).has_value());
  REQUIRE(context.objects().read("s3://b/checkpoints/job-1/xgboost-checkpoint").has_value());
  const auto first_round = [&](const Json& asked) {
    std::int64_t first = -1;
    TrainHooks hooks;
    hooks.metric = [&](const MetricPoint& point) { first = first < 0 ? point.round : first; };
    const auto result = run_training(*parse_training_spec(asked), context, hooks);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
    return first;
  };
  CHECK(first_round(json) == 10);
  json["HyperParameters"]["eta"] = "0.1";
  CHECK(first_round(json) == 0);
  CHECK(first_round(json) == 10);
  json["HyperParameters"]["seed"] = "3";
  CHECK(first_round(json) == 0);
  put(context, "data/train/more.csv", "y,x0,x1,x2,x3\n1,2,3,4,5\n");
  CHECK(first_round(json) == 0);
  json["HyperParameters"]["booster"] = "gblinear";
  CHECK(first_round(json) == 0);
  CHECK(first_round(json) == 10);
}

TEST_CASE("run_training: ranking by a column of queries, or by qid of text/libsvm") {
  Random random(6);
  std::string named = "grade,query,a,b\n", lines;
  for (int i = 0; i < 120; ++i) {
    const int query = i / 6;
    const double a = random.normal(), b = random.normal();
    const std::string grade = a > 0.3 ? "1" : "0";
    named += grade + "," + std::to_string(query) + "," + std::to_string(a) + "," + std::to_string(b) + "\n";
    lines += grade + " qid:" + std::to_string(query) + " 0:" + std::to_string(a) + " 1:" + std::to_string(b) +
             "\n";
  }
  Json json = request();
  json["HyperParameters"] = {{"num_round", "5"}, {"objective", "rank:map"}, {"group", "query"}};
  FakeContext by_column, by_qid;
  for (const char* channel : {"train", "validation"}) {
    put(by_column, std::string("data/") + channel + "/x.csv", named);
    put(by_qid, std::string("data/") + channel + "/x.txt", lines);
  }
  const auto first = run_training(*parse_training_spec(json), by_column);
  REQUIRE_MESSAGE(first.has_value(), (first ? "" : first.error().message));
  CHECK(first->metrics.at("validation:map") > 0.95);
  CHECK(card_of(by_column, first->model_uri)["features"] == Json{"a", "b"});
  json["HyperParameters"].erase("group");
  CHECK(error_of(json, by_column) == "train: ranking needs the query of each row");
  for (Json& channel : json["InputDataConfig"]) channel["ContentType"] = "text/libsvm";
  const auto second = run_training(*parse_training_spec(json), by_qid);
  REQUIRE_MESSAGE(second.has_value(), (second ? "" : second.error().message));
  CHECK(second->metrics == first->metrics);
  put(by_qid, "data/train/y.txt", "1 0:1 1:2\n");
  CHECK(error_of(json, by_qid) == "s3://b/data/train/y.txt:1: some rows have a qid and others none");
  put(by_qid, "data/train/y.txt", "1 0:1 qid:3\n");
  CHECK(error_of(json, by_qid) == "s3://b/data/train/y.txt:1: qid stands behind the target, once");
}

TEST_CASE("run_training: errors name channel, row and column") {
  FakeContext context;
  CHECK(error_of(request(), context).find("data/train") != std::string::npos);
  put_samples(context);
  put(context, "data/train/part-2.csv", "y,x0,x1,x2,x3\n1,2,red,4,5\n");
  CHECK(error_of(request(), context) ==
        "train: s3://b/data/train/part-2.csv:2: column \"x1\": \"red\" is not a number");
  put(context, "data/train/part-2.csv", "y,x0,x1,x2,x3\n5,2,3,4,5\n");
  CHECK(error_of(request(), context) ==
        "train: s3://b/data/train/part-2.csv: row 1: the target is 5, expected a class from 0 to 1");
  FakeContext semicolons;
  put(semicolons, "data/train/a.csv", "y;x0;x1\n1;2;3\n0;2;3\n");
  put(semicolons, "data/validation/a.csv", "y;x0;x1\n1;2;3\n0;2;3\n");
  CHECK(error_of(request(), semicolons) ==
        "train: s3://b/data/train/a.csv has one column, whose cells hold ';'");
  put(context, "data/train/part-2.csv", "\x1f\x8b\x08 and so on");
  CHECK(error_of(request(), context) == "s3://b/data/train/part-2.csv is compressed (Gzip)");
  Json json = request();
  json["HyperParameters"]["csv_weights"] = "1";
  put(context, "data/train/part-2.csv", "y,x0,x1,x2,x3\n1,-2,3,4,5\n");
  CHECK(error_of(json, context).find("the weight is not a finite number of at least 0") != std::string::npos);
}

TEST_CASE("run_training: a cancelled run leaves no model") {
  FakeContext context;
  put_samples(context);
  context.cancel = true;
  const auto spec = parse_training_spec(request());
  const auto result = run_training(*spec, context);
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::Cancelled);
  CHECK(!context.objects().list(spec->model_uri()));
}

TEST_CASE("run_training: the pipeline beside the data travels with the model") {
  FakeContext context;
  put_samples(context);
  put(context, "data/train/_pipeline.json", R"({"steps": [1, 2]})");
  const auto result = run_training(*parse_training_spec(request()), context);
  REQUIRE(result.has_value());
  CHECK(Json::parse(model_file(context.objects(), result->model_uri, "pipeline.json")) ==
        Json::parse(R"({"steps": [1, 2]})"));
  CHECK(card_of(context, result->model_uri)["pipeline"] == true);
}
