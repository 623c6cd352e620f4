#pragma once
// `xgboost`: gradient boosted trees by the engine in tasks/trees, under XGBoost's names for hyperparameters
// and metrics, with models in XGBoost's own format.
//
// - multi:softmax trains as multi:softprob (the same trees; predictions are always probabilities), reg:linear
//   is its new name reg:squarederror, `eval_metric` may be a list separated by commas and knows SageMaker's
//   accuracy, mse and f1 besides XGBoost's. Ranking needs the query of each row (Dataset::groups);
//   survival objectives, whose labels are intervals, are not offered. Every tree_method is the histogram
//   method: with no more than max_bin values of a feature it finds the splits that `exact` finds.
// - With early_stopping_rounds the last metric of the last channel decides and the model is cut to its best
//   round; Fitted::metrics are those of the last round kept.
// - The same seed, data and settings give the same bytes, whatever the number of threads and the processor.
// - Cancelling is noticed between rounds, and within a round that takes long.
// - With FitContext::checkpoint the model so far is handed out every checkpoint_rounds rounds (trees only);
//   resume_from such bytes ends in the same model as never having stopped. start_from any model of the same
//   shape trains num_round more rounds (incremental training).
// - Model bytes are XGBoost's JSON model, which its other languages read and write. Loading checks
// everything.
//   Prediction uses one thread a call; any number of calls may run at once.
// - In several ranks (FitContext::ranks) histograms, bins and units of gradients are sums and samples of all
//   ranks' rows: the same bytes as of one, however many there are and whichever rows each has. Metrics are
//   rank 0's work, which gathers the scores for them. Not with gblinear and ranking.
// - On a stream (input mode Pipe) rows are kept as bins, in the same model; not with gblinear.
//
// Source: XGBoost 1.7 parameters; SageMaker developer guide, "XGBoost hyperparameters".

#include <memory>
#include <span>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

namespace trees {
struct Ensemble;
}

// What a fit shows (tensors.h) after a round: "feature_importance/total_gain" and "feature_importance/weight"
// by feature, and of the validation channel, or without one of train, "predictions" (rows, outputs) and
// "labels".
inline constexpr std::string_view kXgboostCollections = "feature_importance|predictions|labels";

std::span<const HyperParameterRule> xgboost_rules();
std::span<const std::string_view> xgboost_metrics();
Result<std::unique_ptr<const Estimator>> make_xgboost(const HyperParameters& parameters);
RankUse xgboost_ranks(const HyperParameters& parameters);  // neither gblinear nor ranking
// DataLoss when the bytes are not a model that can be used.
Result<std::unique_ptr<const Model>> load_xgboost(std::string_view bytes);
// A model of a checked ensemble.
std::unique_ptr<const Model> xgboost_model(trees::Ensemble ensemble);
// The trees of a model, for explaining it: of this algorithm, or of a forest (forest.h); null of any other.
// Lives as long as the model.
const trees::Ensemble* ensemble_of(const Model& model);

}  // namespace millrace::tasks
