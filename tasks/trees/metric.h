#pragma once
// Metrics by XGBoost's names and formulas, from the scores of a channel. Sums are taken over fixed blocks of
// rows in double, so values do not depend on the number of threads.
// Source: XGBoost 1.7, its metrics; Fawcett (2006), areas under curves with ties.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/team.h"

namespace millrace::tasks::trees {

// Rows that a metric is taken of.
struct ScoredRows {
  std::span<const float> scores;  // in planes, one for each output (objective.h)
  std::span<const float> y;
  std::span<const float> weights;  // or empty
  std::size_t outputs = 1;
  std::span<const std::uint32_t> groups = {};  // where queries begin, and the end; empty: all are one list
};

struct Metric {
  std::string name;      // as it was asked for: "error@0.7"
  std::string kind;      // "error"
  double parameter = 0;  // behind the @; of tweedie-nloglik the variance power, of mphe the slope
  bool has_parameter = false;
  bool empty_is_zero = false;  // "ndcg@5-": a list without relevant rows counts 0 instead of 1
};

// A metric of an objective with these parameters; InvalidArgument: "eval_metric 'luck' is not one of …",
// "eval_metric mlogloss is for multi:softprob, not for reg:squarederror".
Result<Metric> parse_metric(std::string_view name, std::string_view objective,
                            const ObjectiveSettings& settings);

// NaN when it is not defined (an area with one class only).
double evaluate_metric(const Metric& metric, const Objective& objective, std::string_view objective_name,
                       const ScoredRows& rows, Team& team);

}  // namespace millrace::tasks::trees
