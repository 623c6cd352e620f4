#pragma once
// `xgboost`: gradient boosted trees by libxgboost, under its own names for hyperparameters and metrics.
//
// - Hyperparameters are handed to the library unchanged, but for: multi:softmax trains as multi:softprob (the
// same trees;
//   predictions are always probabilities), reg:linear is its new name reg:squarederror, `eval_metric` may be
//   a list separated by commas and knows SageMaker's accuracy, mse and f1 besides the library's. Ranking and
//   survival objectives that need row groups or interval labels are not offered.
// - With early_stopping_rounds the last metric of the last channel decides and the model is cut to its best
// round;
//   Fitted::metrics are those of the last round kept.
// - The same seed, data and number of threads give the same bytes. libgomp's threads spin between parallel
//   regions unless the process began with OMP_WAIT_POLICY=passive (read when the library is loaded, so a
//   program cannot set it for itself), which makes training ten times slower as soon as the machine has other
//   work. So `nthread` is FitContext::threads when they sleep, else 1, unless given.
// - Cancelling is noticed between rounds.
// - Model bytes are XGBoost's JSON model, which its other languages read. Loading checks every tree's
// structure, since the
//   library trusts the indices it reads. Prediction uses the library's in-place path, one thread a call,
//   which may run any number of times at once; linear boosters have no such path and take turns.
//
// Source: XGBoost 1.7 C API and parameters; SageMaker developer guide, "XGBoost hyperparameters".

#include <memory>
#include <span>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

std::span<const HyperParameterRule> xgboost_rules();
std::span<const std::string_view> xgboost_metrics();
Result<std::unique_ptr<const Estimator>> make_xgboost(const HyperParameters& parameters);
// DataLoss when the bytes are not a model that can be used.
Result<std::unique_ptr<const Model>> load_xgboost(std::string_view bytes);

}  // namespace millrace::tasks
