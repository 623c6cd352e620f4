#pragma once
// `linear-learner`: logistic, softmax and linear regression and their robust relatives, under SageMaker's
// names.
//
// Minimises the weighted mean loss + wd/2 |w|^2 + l1 |w|_1 over weights and biases; features (and a
// regressor's target) are brought to mean 0 and deviation 1 first, unless told otherwise, and the result is
// written for the data as given.
//   optimizer auto   smooth losses (logistic, softmax_loss, squared_loss, huber_loss): L-BFGS over all rows
//   (OWL-QN with
//                    l1), one iteration a round, `epochs` of them, or until it has converged when epochs is
//                    not given (at most 300). Others, and adam, sgd, rmsprop by name: mini-batches of
//                    shuffled rows, one epoch a round.
//   wd auto          1 / rows; l1 auto 0
// Each round is scored by the mean loss on the validation channel, or without one by what is minimised
// (train:objective_loss); the best round's model is kept, and training ends after early_stopping_patience
// rounds without an improvement by early_stopping_tolerance (relative; with L-BFGS, the tolerance is 1e-5
// unless given). Missing values are refused. Not offered: parallel models (num_models), calibration and
// thresholds chosen for a target precision or recall. Same seed, data and settings: same bytes; one thread
// does the work, so the number of threads does not matter. Hinge loss is turned into a probability by the
// logistic function of the margin, which orders rows but is not calibrated. Sources: SageMaker developer
// guide, "Linear learner hyperparameters"; Nocedal, Updating quasi-Newton matrices with limited storage
// (1980); Andrew and Gao, Scalable training of L1-regularized log-linear models (2007); Kingma and Ba, Adam
// (2015).

#include <memory>
#include <span>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

// What a fit in memory shows (tensors.h) after a round: "weight" (outputs, features), "bias" and "loss".
inline constexpr std::string_view kLinearCollections = "weights|biases|losses";
std::span<const HyperParameterRule> linear_learner_rules();
std::span<const std::string_view> linear_learner_metrics();
RankUse linear_learner_ranks(const HyperParameters& parameters);  // of fits that look at all rows at once
Result<std::unique_ptr<const Estimator>> make_linear_learner(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_linear_learner(std::string_view bytes);

}  // namespace millrace::tasks
