#pragma once
// `random-forest` and `extra-trees` (ours; scikit-learn's names and defaults for hyperparameters, the metrics
// of linear-learner): trees grown by themselves whose answers are averaged (tasks/trees/forest.h).
//
// - A classifier answers the mean of its leaves' shares, a regressor the mean of their means. `class_weight`
//   balanced makes the classes weigh the same. Splits lie between at most `max_bin` bins of a feature;
//   missing values are learnt from.
// - A tree is a round; metrics of the channel `validation` are those of the trees so far. With `oob_score`
// each
//   row of train is judged by the trees that did not draw it: train:oob_score is their accuracy, or r2.
// - `min_samples_leaf` and `min_samples_split` count rows as often as they were drawn; with weights they
// count
//   the lightest row as one.
// - Equal data, settings and seed give equal bytes for any number of threads.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/training/estimator.h"
#include "tasks/trees/forest.h"

namespace millrace::tasks {

inline constexpr std::string_view kRandomForest = "random-forest", kExtraTrees = "extra-trees";
inline constexpr DataNeeds kForestNeeds{.missing = true};

std::span<const HyperParameterRule> random_forest_rules();
std::span<const HyperParameterRule> extra_trees_rules();
std::span<const std::string_view> forest_metrics();
Result<std::unique_ptr<const Estimator>> make_random_forest(const HyperParameters& parameters);
Result<std::unique_ptr<const Estimator>> make_extra_trees(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_random_forest(std::string_view bytes);
Result<std::unique_ptr<const Model>> load_extra_trees(std::string_view bytes);
Result<std::map<std::string, double>> test_forest(const HyperParameters& parameters, const Model& model,
                                                  const Dataset& data);

// A forest as its model has it.
struct ForestParts {
  std::string_view algorithm;
  std::size_t features = 0;
  std::size_t classes = 0;  // 0: a regressor
  std::vector<trees::ForestTree> trees;
};
std::unique_ptr<const Model> make_forest_model(ForestParts parts);
// Trees as bytes: of models and of checkpoints. Reading checks everything: nothing when they can't be used.
std::string pack_trees(const std::vector<trees::ForestTree>& trees);
bool unpack_trees(std::string_view bytes, std::size_t features, std::size_t classes,
                  std::vector<trees::ForestTree>& trees);
// A regressor's or a binary classifier's trees as an ensemble whose sum is the answer; null of other models.
const trees::Ensemble* forest_ensemble_of(const Model& model);

}  // namespace millrace::tasks
