#pragma once
// Drift of bias and of what a model's answers depend on: an analysis of now (analysis.json of Clarify's
// shape, as `bias` and `explain` write it) against that of a baseline. Pure. Source: SageMaker developer
// guide, "Bias drift for models in production", "Feature attribution drift for models in production".

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

// One metric of one facet. A metric may lie between its value in the baseline and the value that means no
// bias (0; of DI 1). Its 95 % interval, when the analysis has one (bootstrap), has to miss that range to
// violate it.
struct BiasDrift {
  std::string facet, value, metric;
  double baseline = 0, now = 0, low = 0, high = 0;
  bool violated = false;
};
// Of every metric that both have as a number. InvalidArgument: the baseline has no bias metrics.
Result<std::vector<BiasDrift>> bias_drift(const Json& baseline, const Json& now);
Json bias_violations(std::span<const BiasDrift> drift);

inline constexpr double kAttributionThreshold = 0.9;  // Clarify's

// The normalised discounted cumulative gain of the features' ranking: 1 when they still have the baseline's
// order. Σ a(f_i) / log2(i + 1) over the order of now, divided by the same over the baseline's order, where
// a(f) is the feature's attribution in the baseline.
struct AttributionDrift {
  std::string label;
  double ndcg = 1;
  std::vector<std::pair<std::string, double>> baseline, now;  // features by falling attribution
};
// For each label (class). InvalidArgument: one has no SHAP values, or they have no feature in common.
Result<std::vector<AttributionDrift>> attribution_drift(const Json& baseline, const Json& now);
Json attribution_violations(std::span<const AttributionDrift> drift, double threshold);

}  // namespace millrace::tasks
