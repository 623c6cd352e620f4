#pragma once
// What a model makes of its features on the whole: how much worse it gets when a column is shuffled, and how
// its answers go with a column's values. Worker thread.
//
// Sources: Breiman, "Random forests" (2001), permutation importance; Friedman, "Greedy function
// approximation" (2001), partial dependence.

#include <string>
#include <vector>

#include "base/json.h"
#include "tasks/explain/feature_rows.h"
#include "tasks/processing/processors.h"

namespace millrace::tasks {

struct PermutationImportance {
  std::string feature;
  double mean = 0, std = 0;  // of what the metric loses, over the repeats
};
// `score` says how good predictions are, more being better. Sorted, the most important first. Cancelled.
Result<std::vector<PermutationImportance>> permutation_importance(
    const Table& rows, const PredictTable& predict, const std::function<double(const Matrix&)>& score,
    std::size_t repeats, Random random, TaskContext& context);

struct PartialDependence {
  std::string feature;
  bool numeric = true;
  std::vector<double> numbers;             // numeric: the grid
  std::vector<std::string> categories;     // else
  std::vector<std::vector<double>> means;  // by output, then grid point: the mean answer
  std::vector<double> shares;              // of rows near each point
};
// Numbers at up to `grid` of their quantiles, categories by frequency. Cancelled.
Result<PartialDependence> partial_dependence(const Table& rows, std::size_t column,
                                             const PredictTable& predict, std::size_t grid,
                                             TaskContext& context);
// An entry of Clarify's "pdp".
Json to_json(const PartialDependence& effect);

}  // namespace millrace::tasks
