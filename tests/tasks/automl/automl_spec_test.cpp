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
        "AutoMLJobObjective.MetricName: 'Luck' is not an objective");
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
          j["ModelDeployConfig"] = {{"AutoGenerateEndpointName", true}, {"EndpointName", "e"}};
        }).starts_with("ModelDeployConfig.EndpointName: is given though AutoGenerateEndpointName"));
  CHECK(refused_spec([](Json& j) {
          j["ModelDeployConfig"] = Json::object();
        }).starts_with("ModelDeployConfig.EndpointName: is required"));
  CHECK(refused_spec([&](Json& j) {
          tabular(j)["GenerateCandidateDefinitionsOnly"] = true;
          j["ModelDeployConfig"] = {{"AutoGenerateEndpointName", true}};
        }).starts_with("ModelDeployConfig: there is no model"));
  CHECK(refused_spec([](Json& j) {
          j["AutoMLProblemTypeConfig"]["TextClassificationJobConfig"] = Json::object();
        }).find("expected one of them") != std::string::npos);
  CHECK(refused_spec([&](Json& j) {
          tabular(j)["CandidateGenerationConfig"]["AlgorithmsConfig"][0]["AutoMLAlgorithms"] = {"catboost"};
        }).find("'catboost' is not built in") != std::string::npos);
}

TEST_CASE("AutoML request: texts") {
  Json request = v2_request();
  request.erase("AutoMLJobObjective");
  Json& config = request["AutoMLProblemTypeConfig"];
  config = {{"TextClassificationJobConfig",
             {{"ContentColumn", "message"},
              {"TargetLabelColumn", "kind"},
              {"CompletionCriteria", {{"MaxCandidates", 3}}}}}};
  const auto spec = parse_automl_spec(request);
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  CHECK(spec->kind == AutoMLSpec::Kind::Texts);
  CHECK(spec->text_column == "message");
  CHECK(spec->target == "kind");
  CHECK(spec->candidates_max == 3);
  const auto refused = [&](const std::function<void(Json&)>& change) {
    Json changed = request;
    change(changed);
    const auto parsed = parse_automl_spec(changed);
    return parsed ? "accepted" : parsed.error().message;
  };
  const auto texts = [](Json& j) -> Json& {
    return j["AutoMLProblemTypeConfig"]["TextClassificationJobConfig"];
  };
  CHECK(refused([&](Json& j) { texts(j)["TargetLabelColumn"] = "message"; }).find("is the ContentColumn") !=
        std::string::npos);
  CHECK(refused([&](Json& j) { texts(j).erase("ContentColumn"); }) ==
        "AutoMLProblemTypeConfig.TextClassificationJobConfig.ContentColumn is required");
  CHECK(refused([&](Json& j) {
          j["AutoMLJobInputDataConfig"][0]["CompressionType"] = "Gzip";
        }).find("are read as they are") != std::string::npos);
}

TEST_CASE("AutoML request: series") {
  Json request = v2_request();
  request.erase("AutoMLJobObjective");
  request["AutoMLProblemTypeConfig"] = Json::parse(R"({"TimeSeriesForecastingJobConfig": {
    "ForecastFrequency": "1D", "ForecastHorizon": 7, "ForecastQuantiles": ["p90", "p10"],
    "TimeSeriesConfig": {"TargetAttributeName": "sold", "TimestampAttributeName": "day", "ItemIdentifierAttributeName": "shop",
      "GroupingAttributeNames": ["country"]},
    "Transformations": {"Aggregation": {"sold": "avg"}, "Filling": {"sold": {"middlefill": "value", "middlefill_value": "2"}}},
    "CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["ets", "arima"]}]}}})");
  const auto spec = parse_automl_spec(request);
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  CHECK(spec->kind == AutoMLSpec::Kind::Series);
  CHECK(spec->forecast.horizon == 7);
  CHECK(spec->forecast.levels == std::vector<double>{0.1, 0.9});
  CHECK(spec->forecast.grid.columns.item == "shop");
  CHECK(spec->forecast.grid.groups == std::vector<std::string>{"country"});
  CHECK(spec->forecast.grid.aggregation == "avg");
  CHECK(spec->forecast.grid.filling.at("middlefill_value") == "2");
  CHECK(spec->algorithms == std::vector<std::string>{"ets", "autoregression"});
  const auto refused = [&](const std::function<void(Json&, Json&)>& change) {
    Json changed = request;
    change(changed, changed["AutoMLProblemTypeConfig"]["TimeSeriesForecastingJobConfig"]);
    const auto parsed = parse_automl_spec(changed);
    return parsed ? std::string("accepted") : parsed.error().message + "; " + parsed.error().hint;
  };
  for (const char* wrong : {"60min", "24H", "7D", "D1", "min", "", "0D", "Q"})
    CHECK_MESSAGE(refused([&](Json&, Json& c) {
                    c["ForecastFrequency"] = wrong;
                  }).find("ForecastFrequency") != std::string::npos,
                  wrong);
  for (const char* right : {"15min", "H", "6D", "W", "11M", "Y", "1Y"})
    CHECK_MESSAGE(refused([&](Json&, Json& c) { c["ForecastFrequency"] = right; }) == "accepted", right);
  CHECK(refused([](Json&, Json& c) { c["ForecastHorizon"] = 501; }).find("from 1 to 500") !=
        std::string::npos);
  CHECK(refused([](Json&, Json& c) { c.erase("ForecastHorizon"); }).find("ForecastHorizon: is required") !=
        std::string::npos);
  CHECK(refused([](Json&, Json& c) { c["ForecastQuantiles"] = {"p0"}; }).find("p1 to p99") !=
        std::string::npos);
  CHECK(refused([](Json&, Json& c) {
          c["HolidayConfig"] = Json::array({{{"CountryCode", "US"}}});
        }).find("HolidayConfig: is not supported") != std::string::npos);
  CHECK(refused([](Json&, Json& c) {
          c["Transformations"]["Aggregation"] = {{"price", "sum"}};
        }).find("'price' is not the target") != std::string::npos);
  CHECK(refused([](Json&, Json& c) {
          c["Transformations"]["Aggregation"]["sold"] = "last";
        }).find("use sum, avg, first, min or max") != std::string::npos);
  CHECK(refused([](Json&, Json& c) {
          c["Transformations"]["Filling"]["sold"] = {{"futurefill", "zero"}};
        }).find("futurefill is for columns") != std::string::npos);
  CHECK(refused([](Json&, Json& c) {
          c["TimeSeriesConfig"]["ItemIdentifierAttributeName"] = "day";
        }).find("named twice") != std::string::npos);
  CHECK(refused([](Json& j, Json&) {
          j["AutoMLJobObjective"] = {{"MetricName", "F1"}};
        }).find("not an objective of a TimeSeriesForecasting") != std::string::npos);
  CHECK(refused([](Json& j, Json&) {
          j["AutoMLJobInputDataConfig"].push_back(j["AutoMLJobInputDataConfig"][0]);
          j["AutoMLJobInputDataConfig"][1]["ChannelType"] = "validation";
        }).find("there is a channel 'validation'") != std::string::npos);
  CHECK(refused([](Json&, Json& c) {
          c["CandidateGenerationConfig"]["AlgorithmsConfig"][0]["AutoMLAlgorithms"] = {"prophet"};
        }).find("use ets, arima or npts") != std::string::npos);
}
