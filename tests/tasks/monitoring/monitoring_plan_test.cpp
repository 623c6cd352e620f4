#include "tasks/monitoring/monitoring_plan.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Instant plan_time(const char* text) {
  const auto parsed = parse_rfc3339(text);
  REQUIRE(parsed);
  return *parsed;
}

Json own_definition() {
  return Json::parse(R"({"MonitoringJobDefinition": {
    "BaselineConfig": {"ConstraintsResource": {"S3Uri": "s3://b/base/constraints.json"},
                       "StatisticsResource": {"S3Uri": "s3://b/base/statistics.json"}},
    "MonitoringInputs": [{"EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input",
                                            "ExcludeFeaturesAttribute": "id, bought"}}],
    "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/reports"}}]},
    "MonitoringResources": {},
    "MonitoringAppSpecification": {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"},
    "Environment": {"SETTINGS": "{\"rows_max\": 500}"}}})");
}

const std::string kQuality = R"({
    "JobDefinitionName": "q",
    "ModelQualityAppSpecification": {"ImageUri": "sagemaker-model-monitor-analyzer", "ProblemType": "BinaryClassification"},
    "ModelQualityBaselineConfig": {"BaseliningJobName": "made-it"},
    "ModelQualityJobInput": {"EndpointInput": {"EndpointName": "churn", "StartTimeOffset": "-P8D", "EndTimeOffset": "-P7D",
                                               "ProbabilityAttribute": "0", "ProbabilityThresholdAttribute": 0.4},
                             "GroundTruthS3Input": {"S3Uri": "s3://b/truth"}},
    "ModelQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/quality"}}]},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60}})";

struct Records {
  TemporaryHome home;
  std::unique_ptr<Jobs> jobs = *Jobs::open(home.path("tasks.db"));

  Records() {
    REQUIRE(jobs->create("Endpoint", "churn",
                         Json::parse(R"({"EndpointName": "churn", "ProductionVariants": [{"ModelName": "m"}],
                                        "DataCaptureConfig": {"DestinationS3Uri": "s3://b/captured"}})")));
    REQUIRE(jobs->create(
        "ProcessingJob", "made-it",
        Json::parse(
            R"({"ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://b/qbase"}}]}})")));
  }
  std::string refusal(const Json& config) const {
    const auto plan = read_monitoring_plan(config, *jobs);
    return plan ? "taken" : plan.error().message;
  }
};

}  // namespace

TEST_CASE("Monitoring: durations as SageMaker writes them") {
  const std::pair<const char*, std::int64_t> kGood[] = {
      {"-PT1H", -3'600},         {"-PT0H", 0},         {"PT5M", 300}, {"-P7D", -604'800},
      {"P1DT12H30M5S", 131'405}, {"-P2W", -1'209'600}, {"+PT1S", 1},  {"P0D", 0}};
  for (const auto& [text, seconds] : kGood) {
    CAPTURE(text);
    const auto parsed = parse_iso_duration(text);
    REQUIRE(parsed);
    CHECK(parsed->count() == seconds * 1000);
  }
  for (const char* text : {"", "P", "PT", "1H", "P1H", "PT1D", "PT1", "P1Y", "P1M", "PT1H1H", "PT5S3M",
                           "P1DT", "P99999D", "PT9999999999S", "--PT1H", "PT1H "}) {
    CAPTURE(text);
    CHECK(!parse_iso_duration(text));
  }
}

TEST_CASE("Monitoring: what a run looks at") {
  MonitoringPlan plan;
  const Instant due = plan_time("2026-11-21T10:00:00Z"), previous = plan_time("2026-11-21T09:00:00Z");
  CHECK(span_of(plan, due, previous)->from == previous);
  CHECK(span_of(plan, due, previous)->until == due);
  plan.start_offset = "-P8D", plan.end_offset = "-P7D";
  CHECK(format_rfc3339(span_of(plan, due, previous)->from) == "2026-11-13T10:00:00.000Z");
  CHECK(format_rfc3339(span_of(plan, due, previous)->until) == "2026-11-14T10:00:00.000Z");
  // Spans of whole seconds meet whatever the due times are.
  const auto third = span_of({}, due + Millis(4'300), due + Millis(2'300));
  CHECK(format_rfc3339(third->from) == "2026-11-21T10:00:02.000Z");
  CHECK(format_rfc3339(third->until) == "2026-11-21T10:00:04.000Z");
  CHECK(!span_of({}, due + Millis(300), due + Millis(100)));
  plan.start_offset = "-PT1H", plan.end_offset = "-PT1H";
  CHECK(!span_of(plan, due, previous));
}

TEST_CASE("Monitoring: a schedule's own definition, whole") {
  const Records records;
  const auto plan = read_monitoring_plan(own_definition(), *records.jobs);
  REQUIRE_MESSAGE(plan, (plan ? "" : plan.error().message));
  CHECK(plan->type->name == "DataQuality");
  CHECK(plan->settings["exclude_features"] == Json({"id", "bought"}));
  CHECK(plan->settings["rows_max"] == 500);
  MonitoringRun run{"hourly", "1", plan_time("2026-11-21T10:00:00Z"), {}};
  run.span = *span_of(*plan, run.due, plan_time("2026-11-21T09:00:00Z"));
  const auto request = monitoring_job_request(*plan, run, *records.jobs);
  REQUIRE(request);
  CHECK((*request)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] ==
        "s3://b/reports/churn/hourly/2026/11/21/10");
  CHECK((*request)["ProcessingInputs"][0] ==
        Json::parse(R"({"InputName": "captured", "S3Input": {"S3Uri": "s3://b/captured/churn"}})"));
  CHECK((*request)["Environment"]["MONITORING_EXECUTION"] == "hourly/20261121T100000Z");
  const Json settings = Json::parse((*request)["Environment"]["SETTINGS"].get<std::string>());
  CHECK(settings["analysis_type"] == "DATA_QUALITY");
  CHECK(settings["start_time"] == "2026-11-21T09:00:00.000Z");
  CHECK(settings["model_name"] == "m");
  run.due = plan_time("2026-11-21T10:05:30Z");
  CHECK(monitoring_output(*plan, run) == "s3://b/reports/churn/hourly/2026/11/21/10/05-30");
}

TEST_CASE("Monitoring: a run's job has one name, and schedules that share a beginning have different ones") {
  const Instant due = plan_time("2026-11-21T10:00:00Z");
  const std::string one = monitoring_job_name({"hourly", "1", due, {}});
  CHECK(one == monitoring_job_name({"hourly", "1", due, {}}));
  CHECK(one.starts_with("monitoring-hourly-20261121100000-"));
  CHECK(one != monitoring_job_name({"hourly", "2", due, {}}));  // made again under its name
  const std::string long_name(63, 'a');
  for (const std::string& name : {long_name, long_name.substr(0, 19) + "-" + long_name.substr(20)}) {
    const std::string job = monitoring_job_name({name, "1", due, {}});
    CHECK(job.size() <= 63);
    CHECK(check_name("ProcessingJobName", job));
  }
  CHECK(monitoring_job_name({long_name, "1", due, {}}) !=
        monitoring_job_name({long_name.substr(0, 62) + "b", "1", due, {}}));
}

TEST_CASE("Monitoring: a job definition by its name, its baseline by the job that made it") {
  const Records records;
  REQUIRE(records.jobs->create("ModelQualityJobDefinition", "q", Json::parse(kQuality)));
  const Json config = {{"MonitoringJobDefinitionName", "q"}, {"MonitoringType", "ModelQuality"}};
  const auto plan = read_monitoring_plan(config, *records.jobs);
  REQUIRE_MESSAGE(plan, (plan ? "" : plan.error().message));
  CHECK(plan->constraints == "s3://b/qbase");
  CHECK(plan->ground_truth == "s3://b/truth");
  CHECK(plan->start_offset == "-P8D");
  CHECK(plan->runtime_max_s == 60);
  CHECK(plan->settings["problem_type"] == "BinaryClassification");
  CHECK(plan->settings["probability_attribute"] == "0");
  CHECK(plan->settings["probability_threshold_attribute"] == 0.4);
}

TEST_CASE("Monitoring: configurations that could not be carried out are refused by name") {
  const Records records;
  const auto without = [](std::initializer_list<const char*> path, const Json& value = nullptr) {
    Json config = own_definition();
    Json* place = &config["MonitoringJobDefinition"];
    for (auto at_key = path.begin(); at_key + 1 != path.end(); ++at_key)
      place = place->is_array() ? &place->at(0) : &(*place)[*at_key];
    (*place)[*(path.end() - 1)] = value;
    return config;
  };
  const std::pair<Json, const char*> kCases[] = {
      {Json::object(), "MonitoringJobDefinitionName"},
      {Json{{"MonitoringJobDefinitionName", "gone"}}, "gone"},
      {Json{{"MonitoringJobDefinitionName", "q"}, {"MonitoringType", "Luck"}}, "MonitoringType"},
      {without({"MonitoringInputs"}), "MonitoringInputs"},
      {without({"MonitoringOutputConfig", "MonitoringOutputs"}), "MonitoringOutputs"},
      {without({"MonitoringAppSpecification", "ImageUri"}, "my-own-image:1"), "my-own-image:1"},
      {without({"MonitoringAppSpecification", "RecordPreprocessorSourceUri"}, "s3://b/p.py"),
       "RecordPreprocessorSourceUri"},
      {without({"BaselineConfig", "ConstraintsResource"}, Json{{"S3Uri", "/tmp/x"}}), "/tmp/x"},
      {without({"Environment", "SETTINGS"}, "nonsense"), "SETTINGS"}};
  for (const auto& [config, word] : kCases) {
    CAPTURE(word);
    CHECK(records.refusal(config).find(word) != std::string::npos);
  }
  const MonitoringType& quality = *find_monitoring_type("ModelQuality");
  Json definition = Json::parse(kQuality);
  CHECK(read_job_definition(quality, definition, *records.jobs));
  definition["ModelQualityJobInput"].erase("GroundTruthS3Input");
  CHECK(read_job_definition(quality, definition, *records.jobs).error().message.find("GroundTruth") == 0);
  definition = Json::parse(kQuality);
  definition["ModelQualityAppSpecification"].erase("ProblemType");
  CHECK(read_job_definition(quality, definition, *records.jobs).error().message.find("ProblemType") == 0);
}
