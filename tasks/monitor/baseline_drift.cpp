#include "tasks/monitor/baseline_drift.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/html_report.h"

namespace millrace::tasks {
namespace {

constexpr const char* kBiasSections[] = {"pre_training_bias_metrics", "post_training_bias_metrics"};

using MetricKey = std::array<std::string, 3>;  // facet, its value, metric

std::map<MetricKey, Json> metrics_in(const Json& analysis) {
  std::map<MetricKey, Json> out;
  for (const char* section : kBiasSections) {
    const Json facets = analysis.is_object() && analysis.contains(section)
                            ? analysis[section].value("facets", Json::object())
                            : Json::object();
    for (const auto& [facet, entries] : facets.items())
      for (const Json& entry : entries)
        for (const Json& metric : entry.value("metrics", Json::array()))
          if (metric.contains("value") && metric["value"].is_number())
            out[{facet, entry.value("value_or_threshold", ""), metric.value("name", "")}] = metric;
  }
  return out;
}

// The attributions of each label, whatever the method.
std::map<std::string, Json> attributions_in(const Json& analysis) {
  std::map<std::string, Json> out;
  const Json methods = analysis.is_object() ? analysis.value("explanations", Json::object()) : Json::object();
  for (const char* method : {"tree_shap", "kernel_shap"}) {
    if (!methods.contains(method) || !methods[method].is_object()) continue;
    for (const auto& [label, entry] : methods[method].items())
      if (entry.is_object() && entry.contains("global_shap_values"))
        out.emplace(label, entry["global_shap_values"]);
  }
  return out;
}

using Ranking = std::vector<std::pair<std::string, double>>;

Ranking ranking_of(const Json& values, const Json& others) {
  Ranking out;
  for (const auto& [feature, value] : values.items())
    if (value.is_number() && others.contains(feature))
      out.emplace_back(feature, std::abs(value.get<double>()));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return out;
}

double discounted_gain(const Ranking& order, const std::map<std::string, double>& weights) {
  double gain = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    gain += weights.at(order[i].first) / std::log2(static_cast<double>(i) + 2);
  return gain;
}

}  // namespace

Result<std::vector<BiasDrift>> bias_drift(const Json& baseline, const Json& now) {
  const auto before = metrics_in(baseline), current = metrics_in(now);
  if (before.empty()) return invalid("the baseline has no bias metrics", "it is analysis.json of `bias`");
  std::vector<BiasDrift> out;
  for (const auto& [key, entry] : before) {
    const auto found = current.find(key);
    if (found == current.end()) continue;
    BiasDrift drift{key[0], key[1], key[2]};
    drift.baseline = entry["value"].get<double>();
    drift.now = found->second["value"].get<double>();
    drift.low = found->second.value("lower", drift.now);
    drift.high = found->second.value("upper", drift.now);
    const double none = drift.metric == "DI" ? 1 : 0;
    drift.violated =
        drift.low > std::max(drift.baseline, none) || drift.high < std::min(drift.baseline, none);
    out.push_back(std::move(drift));
  }
  return out;
}

Json bias_violations(std::span<const BiasDrift> drift) {
  Json list = Json::array();
  for (const BiasDrift& entry : drift) {
    if (!entry.violated) continue;
    list.push_back({{"facet", entry.facet},
                    {"facet_value", entry.value},
                    {"metric_name", entry.metric},
                    {"constraint_check_type", "bias_drift_check"},
                    {"description", "Metric value " + short_number(entry.now) +
                                        " does not meet the baseline constraint requirement " +
                                        short_number(entry.baseline)}});
  }
  return {{"version", "1.0"}, {"violations", std::move(list)}};
}

Result<std::vector<AttributionDrift>> attribution_drift(const Json& baseline, const Json& now) {
  const auto before = attributions_in(baseline), current = attributions_in(now);
  if (before.empty()) return invalid("the baseline has no SHAP values", "it is analysis.json of `explain`");
  if (current.empty()) return invalid("there are no SHAP values to compare with the baseline's");
  std::vector<AttributionDrift> out;
  for (const auto& [label, values] : before) {
    const auto found = current.find(label);
    if (found == current.end()) continue;
    AttributionDrift drift{label, 1, ranking_of(values, found->second), ranking_of(found->second, values)};
    if (drift.baseline.empty())
      return invalid("label \"" + label + "\": the baseline's features are others than those of now");
    const std::map<std::string, double> weights(drift.baseline.begin(), drift.baseline.end());
    const double ideal = discounted_gain(drift.baseline, weights);
    if (ideal > 0) drift.ndcg = discounted_gain(drift.now, weights) / ideal;
    out.push_back(std::move(drift));
  }
  if (out.empty()) return invalid("the baseline's labels are others than those of now");
  return out;
}

Json attribution_violations(std::span<const AttributionDrift> drift, double threshold) {
  Json list = Json::array();
  for (const AttributionDrift& entry : drift) {
    if (entry.ndcg >= threshold) continue;
    list.push_back({{"label", entry.label},
                    {"metric_name", "shap"},
                    {"constraint_check_type", "feature_attribution_drift_check"},
                    {"description", "Feature attribution drift " + short_number(entry.ndcg) +
                                        " exceeds threshold " + short_number(threshold)}});
  }
  return {{"version", "1.0"}, {"violations", std::move(list)}};
}

}  // namespace millrace::tasks
