#pragma once
// Model quality monitoring: metrics of predictions against the truth that came later, constraints on them,
// and what violates these, in Model Monitor's shapes: {"binary_classification_constraints": {"auc":
// {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}}. Any thread.

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

// Constraints that this report (evaluation.json of `evaluate`) just meets: quality may not fall below, errors
// not rise above.
Json quality_constraints(const Json& report);

struct QualityViolation {
  std::string metric, check, description;
};
// InvalidArgument: a constraint on a metric that the report has not, or of an unknown operator.
Result<std::vector<QualityViolation>> quality_violations(const Json& constraints, const Json& report);
Json to_json(const std::vector<QualityViolation>& violations);

}  // namespace millrace::tasks
