#pragma once
// `randomcutforest`: how unusual a row is, under SageMaker's names: the mean score of num_trees random cut
// trees (random_cut_tree.h), each over its own sample of num_samples_per_tree rows.
//
// The channel train has no labels. The channel test has them first (label_size=1; 1 is an anomaly), and what
// it reports takes rows for anomalies that score above the mean of train's scores plus three standard
// deviations; that cut-off and both are in the model. With time_decay > 0 (ours) rows are in the order of
// time, and a row drawn i rows before the last has the weight exp(-time_decay i).
// Missing values and weights are refused. The answer: score. A round is sixteen trees. Same bytes for any
// number of threads. Source of names: SageMaker developer guide, "RCF hyperparameters".

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

inline constexpr DataNeeds kRcfNeeds{.target = TargetUse::Optional, .weights = false, .validation = false};
std::span<const HyperParameterRule> randomcutforest_rules();
std::span<const std::string_view> randomcutforest_metrics();
Result<std::unique_ptr<const Estimator>> make_randomcutforest(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_randomcutforest(std::string_view bytes);
// accuracy; precision, recall, f1
Result<std::map<std::string, double>> test_randomcutforest(const HyperParameters& parameters,
                                                           const Model& model, const Dataset& data);

}  // namespace millrace::tasks
