#include "tasks/monitoring/monitoring_metrics.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/monitoring/executions.h"

namespace millrace::tasks {
namespace {

constexpr Millis kMetricAgeMax{13 * 86'400'000};  // CloudWatch takes nothing older than two weeks

constexpr std::pair<std::string_view, std::string_view> kNamespaces[] = {
    {"DATA_QUALITY", "aws/sagemaker/Endpoints/data-metrics"},
    {"MODEL_QUALITY", "aws/sagemaker/Endpoints/model-metrics"},
    {"MODEL_BIAS", "aws/sagemaker/Endpoints/bias-metrics"},
    {"MODEL_EXPLAINABILITY", "aws/sagemaker/Endpoints/explainability-metrics"}};

}  // namespace

std::vector<MonitoringMetric> monitoring_metrics(const Json& job_request, const Json& summary, Instant now) {
  std::vector<MonitoringMetric> out;
  if (text_at(job_request, {"Environment", kExecutionVariable}).empty()) return out;
  const Json settings = Json::parse(text_at(job_request, {"Environment", "SETTINGS"}), nullptr, false);
  const std::string type = text_at(settings, {"analysis_type"});
  std::string name_space;
  for (const auto& [analysis, name] : kNamespaces)
    if (analysis == type) name_space = name;
  if (name_space.empty()) return out;
  std::map<std::string, std::string> shared = {{"MonitoringSchedule", text_at(settings, {"schedule"})}};
  if (const std::string endpoint = text_at(settings, {"endpoint"}); !endpoint.empty())
    shared["Endpoint"] = endpoint;
  // A value stands where its span ends, unless that is too long ago.
  const auto until = parse_rfc3339(text_at(settings, {"end_time"}));
  const Instant time = until && now - *until < kMetricAgeMax ? std::min(*until, now) : now;
  const auto add = [&](std::string name, double value, const Json& dimensions) {
    if (!std::isfinite(value)) return;
    MonitoringMetric metric{name_space, std::move(name), shared, value, time};
    for (const auto& [key, text] : dimensions.items())
      if (text.is_string()) metric.dimensions[key] = text.get<std::string>();
    out.push_back(std::move(metric));
  };
  const Json list = summary.value("metrics", Json::array());
  for (const Json& entry : list)
    if (entry.is_object() && entry.contains("value") && entry["value"].is_number())
      add(text_at(entry, {"name"}), entry["value"].get<double>(), entry.value("dimensions", Json::object()));
  add("violations", summary.value("violation_count", 0.0), Json::object());
  return out;
}

}  // namespace millrace::tasks
