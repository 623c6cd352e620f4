#include "tasks/automl/automl_spec.h"

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json v2_request() {
  return Json::parse(R"({
    "AutoMLJobName": "churn",
    "AutoMLJobInputDataConfig": [{"ChannelType": "training", "ContentType": "text/csv;header=present",
      "CompressionType": "None", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}}],
    "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "y", "Mode": "ENSEMBLING",
      "ProblemType": "BinaryClassification", "CompletionCriteria": {"MaxCandidates": 5, "MaxRuntimePerTrainingJobInSeconds": 60,
      "MaxAutoMLJobRuntimeInSeconds": 600},
      "CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["xgboost", "nn-torch", "mlp"]}]}}},
    "AutoMLJobObjective": {"MetricName": "AUC"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
    "RoleArn": "arn:aws:iam::123456789012:role/r"})");
}

std::string refused_spec(const std::function<void(Json&)>& change) {
  Json request = v2_request();
  change(request);
  const auto spec = parse_automl_spec(request);
  return spec ? "accepted" : spec.error().message;
}

}  // namespace

TEST_CASE("AutoML request: both of SageMaker's forms are read") {
  auto spec = parse_automl_spec(v2_request());
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  CHECK(spec->target == "y");
  CHECK(spec->mode == AutoMLSpec::Mode::Ensembling);
  CHECK(spec->problem == Problem::Binary);
  CHECK(spec->candidates_max == 5);
  CHECK(spec->training_seconds_max == 60);
  CHECK(spec->job_seconds_max == 600);
  CHECK(spec->algorithms == std::vector<std::string>{"xgboost", "mlp"});
  CHECK(spec->place() == "s3://b/out/churn/");
  CHECK(spec->train_input == Json{{"S3Uri", "s3://b/in/"}});
  spec = parse_automl_spec(Json::parse(R"({
    "AutoMLJobName": "churn", "ProblemType": "Regression", "AutoMLJobObjective": {"MetricName": "R2"},
    "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": "s3://b/t.csv"}}, "TargetAttributeName": "price"},
      {"ChannelType": "validation", "CompressionType": "Gzip", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/v.csv.gz"}},
       "TargetAttributeName": "price"}],
    "AutoMLJobConfig": {"Mode": "HYPERPARAMETER_TUNING", "CompletionCriteria": {"MaxCandidates": 7}},
    "OutputDataConfig": {"S3OutputPath": "s3://b/out/"}})"));
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  CHECK(spec->target == "price");
  CHECK(spec->candidates_max == 7);
  CHECK(spec->validation_input["S3CompressionType"] == "Gzip");
}

TEST_CASE("AutoML request: what is wrong or not there is refused by its field") {
  const auto tabular = [](Json& j) -> Json& { return j["AutoMLProblemTypeConfig"]["TabularJobConfig"]; };
  CHECK(refused_spec([&](Json& j) { tabular(j).erase("TargetAttributeName"); }) ==
        "AutoMLProblemTypeConfig.TabularJobConfig.TargetAttributeName is required");
  CHECK(refused_spec([&](Json& j) {
          tabular(j)["Mode"] = "LUCK";
        }).starts_with("AutoMLProblemTypeConfig.TabularJobConfig.Mode"));
  CHECK(refused_spec([&](Json& j) {
          tabular(j)["CompletionCriteria"]["MaxCandidates"] = 0;
        }).find("CompletionCriteria.MaxCandidates: expected a number from 1 to 750") != std::string::npos);
  CHECK(refused_spec([&](Json& j) {
          tabular(j)["SampleWeightAttributeName"] = "w";
        }).find("SampleWeightAttributeName: is not supported") != std::string::npos);
  CHECK(refused_spec([](Json& j) { j["AutoMLJobObjective"]["MetricName"] = "R2"; }) ==
        "AutoMLJobObjective.MetricName: 'R2' is not an objective of a BinaryClassification");
  CHECK(refused_spec([](Json& j) { j["AutoMLJobObjective"]["MetricName"] = "Luck"; }) ==
        "AutoMLJobObjective.MetricName: 'Luck' is not an objective of tables");
  CHECK(refused_spec([](Json& j) {
          j["AutoMLProblemTypeConfig"] = {{"ImageClassificationJobConfig", Json::object()}};
        }).starts_with("AutoMLProblemTypeConfig.ImageClassificationJobConfig: is not supported"));
  CHECK(refused_spec([](Json& j) {
          j["AutoMLJobInputDataConfig"][0]["ContentType"] = "x-application/vnd.amazon+parquet";
        }).find("ContentType: 'x-application/vnd.amazon+parquet' is not supported") != std::string::npos);
  CHECK(refused_spec([](Json& j) {
          j["AutoMLJobInputDataConfig"].push_back(j["AutoMLJobInputDataConfig"][0]);
        }).find("there are two channels 'training'") != std::string::npos);
  CHECK(refused_spec([](Json& j) {
          j["ModelDeployConfig"] = {{"AutoGenerateEndpointName", true}};
        }).starts_with("ModelDeployConfig: is not supported"));
  CHECK(refused_spec([&](Json& j) {
          tabular(j)["CandidateGenerationConfig"]["AlgorithmsConfig"][0]["AutoMLAlgorithms"] = {"catboost"};
        }).find("'catboost' is not built in") != std::string::npos);
}
