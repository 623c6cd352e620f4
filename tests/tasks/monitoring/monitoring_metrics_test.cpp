#include "tasks/monitoring/monitoring_metrics.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json monitoring_request(const char* type, const char* until) {
  const Json settings = {
      {"analysis_type", type}, {"schedule", "hourly"}, {"endpoint", "churn"}, {"end_time", until}};
  return {
      {"Environment", {{"SETTINGS", settings.dump()}, {"MONITORING_EXECUTION", "hourly/20261121T100000Z"}}}};
}

}  // namespace

TEST_CASE("Monitoring metrics: CloudWatch's names, by endpoint and schedule, at the span's end") {
  const Instant now = *parse_rfc3339("2026-11-21T10:00:08Z");
  const Json summary = Json::parse(R"({"violation_count": 2, "metrics": [
      {"name": "feature_baseline_drift_age", "value": 0.25},
      {"name": "bias_metric_DI", "value": 0.8, "dimensions": {"Facet": "sex"}}, {"name": "none", "value": null}]})");
  const auto metrics =
      monitoring_metrics(monitoring_request("DATA_QUALITY", "2026-11-21T10:00:00Z"), summary, now);
  REQUIRE(metrics.size() == 3);
  CHECK(metrics[0].name_space == "aws/sagemaker/Endpoints/data-metrics");
  CHECK(metrics[0].name == "feature_baseline_drift_age");
  CHECK(metrics[0].value == 0.25);
  CHECK(metrics[0].time == *parse_rfc3339("2026-11-21T10:00:00Z"));
  CHECK(metrics[0].dimensions ==
        std::map<std::string, std::string>{{"Endpoint", "churn"}, {"MonitoringSchedule", "hourly"}});
  CHECK(metrics[1].dimensions.at("Facet") == "sex");
  CHECK(metrics[2].name == "violations");
  CHECK(metrics[2].value == 2);
  // What is made up for much later stands where it is still taken.
  CHECK(monitoring_metrics(monitoring_request("MODEL_BIAS", "2026-10-01T10:00:00Z"), summary, now)[0].time ==
        now);
  CHECK(monitoring_metrics(monitoring_request("OTHER", "2026-10-01T10:00:00Z"), summary, now).empty());
  CHECK(monitoring_metrics(Json{{"Environment", {{"SETTINGS", "{}"}}}}, summary, now).empty());
}
