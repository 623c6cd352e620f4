#pragma once
// `kmeans`: k centres that minimise the weighted sum of squared Euclidean distances from rows to their
// nearest one, under SageMaker's names.
//
// All rows are in memory, so the fit is exact where SageMaker's streams: from `local_lloyd_num_trials` starts
// (auto: 10, fewer on large data) chosen by local_lloyd_init_method (greedy k-means++, or random rows)
// Lloyd's rounds run until the loss falls by less than local_lloyd_tol of itself or local_lloyd_max_iter is
// reached. With auto, the best is then improved by moving the centre that is needed least to a far row, as
// long as that helps. Last it is run until no row changes its cluster. A cluster that loses all its rows
// takes the row farthest from its centre. init_method, mini_batch_size, extra_center_factor and
// half_life_time_size are accepted and have nothing to act on. On a stream (input mode Pipe) the search is
// for a sample of the rows, and `epochs` rounds of Lloyd over all of them follow, a pass each. A round is an
// iteration of Lloyd; it reports train:msd and train:ssd (mean and sum of squared distances). The answer:
// closest_cluster, distance_to_cluster (Euclidean). Same bytes for any number of threads. Cost: n k d
// operations a round. Missing values are refused; weights are taken. Sources: SageMaker developer guide,
// "K-means hyperparameters"; Lloyd, Least squares quantization in PCM (1982); Arthur and Vassilvitskii,
// k-means++ (2007).

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

inline constexpr DataNeeds kKmeansNeeds{.target = TargetUse::None, .validation = false};
std::span<const HyperParameterRule> kmeans_rules();
std::span<const std::string_view> kmeans_metrics();
Result<std::unique_ptr<const Estimator>> make_kmeans(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_kmeans(std::string_view bytes);
// msd, ssd
Result<std::map<std::string, double>> test_kmeans(const HyperParameters& parameters, const Model& model,
                                                  const Dataset& data);

// A model of k centres (k, d). Columns of predict: closest_cluster, distance_to_cluster.
std::unique_ptr<const Model> make_kmeans_model(Matrix centres);

}  // namespace millrace::tasks
