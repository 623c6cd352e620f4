#include "tasks/monitor/model_quality.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/evaluation/html_report.h"

namespace millrace::tasks {
namespace {

struct QualityGroup {
  std::string_view metrics, constraints;
};
constexpr QualityGroup kQualityGroups[] = {
    {"binary_classification_metrics", "binary_classification_constraints"},
    {"multiclass_classification_metrics", "multiclass_classification_constraints"},
    {"regression_metrics", "regression_constraints"},
};

// Metrics of which less is better.
constexpr std::string_view kErrors[] = {"rmse",  "mae",     "mse",   "mape",     "smape",        "median_ae",
                                        "rmsle", "logloss", "brier", "mlogloss", "quantile_loss"};

bool is_error(std::string_view metric) {
  return std::find(std::begin(kErrors), std::end(kErrors), metric) != std::end(kErrors);
}

const QualityGroup* group_of(const Json& report) {
  for (const QualityGroup& group : kQualityGroups) {
    if (report.contains(group.metrics)) return &group;
  }
  return nullptr;
}

}  // namespace

Json quality_constraints(const Json& report) {
  Json out = {{"version", 0.0}};
  const QualityGroup* group = group_of(report);
  if (group == nullptr) return out;
  for (const auto& [name, entry] : report[std::string(group->metrics)].items()) {
    if (!entry.is_object() || !entry.contains("value") || !entry.contains("standard_deviation")) continue;
    out[std::string(group->constraints)][name] = {
        {"threshold", entry["value"]},
        {"comparison_operator", is_error(name) ? "GreaterThanThreshold" : "LessThanThreshold"}};
  }
  return out;
}

Result<std::vector<QualityViolation>> quality_violations(const Json& constraints, const Json& report) {
  std::vector<QualityViolation> out;
  const QualityGroup* group = group_of(report);
  if (group == nullptr) return invalid("the report has no metrics");
  MR_TRY(limits, Arguments(constraints).object(group->constraints));
  const Json& metrics = report[std::string(group->metrics)];
  for (const auto& [name, ignored] : limits.json().items()) {
    MR_TRY(limit, limits.object(name));
    MR_TRY(threshold, limit.real_or("threshold", 0));
    MR_TRY(comparison, limit.text("comparison_operator"));
    MR_DO(limit.one_of("comparison_operator", comparison, "LessThanThreshold|GreaterThanThreshold"));
    const auto at = metrics.find(name);
    if (at == metrics.end() || !at->is_object() || !at->contains("value"))
      return limits.wrong(name, "the report has no such metric");
    const auto value = (*at)["value"].get<double>();
    const bool less = comparison == "LessThanThreshold";
    if (less ? value >= threshold : value <= threshold) continue;
    std::string spread;
    if (at->contains("standard_deviation"))
      spread = " ± " + short_number((*at)["standard_deviation"].get<double>());
    out.push_back({name, comparison,
                   name + " is " + short_number(value) + spread + ", " + (less ? "below" : "above") +
                       " the threshold " + short_number(threshold)});
  }
  return out;
}

Json to_json(const std::vector<QualityViolation>& violations) {
  Json list = Json::array();
  for (const QualityViolation& violation : violations)
    list.push_back({{"constraint_check_type", violation.check},
                    {"description", violation.description},
                    {"metric_name", violation.metric}});
  return {{"violations", std::move(list)}};
}

}  // namespace millrace::tasks
