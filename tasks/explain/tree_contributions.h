#pragma once
// Exact SHAP values of an xgboost model (trees/explain.h), summed to the columns that people know: the
// columns of 0 and 1 that one_hot made of "city" count together as "city". On the scale of the model's margin
// (log odds for probabilities). One thread.

#include <memory>
#include <string>
#include <vector>

#include "tasks/evaluation/row_scorer.h"
#include "tasks/explain/shap_collector.h"

namespace millrace::tasks {

// Whether a model is trees that can be explained exactly.
bool has_trees(const RowScorer& scorer);

// Names for the outcome: the raw column that each feature came from, by the names that `prepare` gives; a
// feature that came from none, or from two, is itself.
std::vector<std::string> column_of_features(const std::vector<std::string>& features,
                                            const std::vector<std::string>& columns);

struct TreeContributions {
  std::vector<std::string> names;  // of columns, in the order of the first feature of each
  std::vector<double> expected;    // by output
};
// What the outcome will look like.
TreeContributions tree_contributions(const RowScorer& scorer);
// Adds every row of `numbers` to the collector, whose features are `names`. Cancelled.
Status collect_tree_contributions(const RowScorer& scorer, const Table& rows,
                                  const std::vector<std::uint32_t>& numbers, TaskContext& context,
                                  ShapCollector& out);

}  // namespace millrace::tasks
