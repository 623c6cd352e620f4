#pragma once
// `pca`: the directions of the largest variance, under SageMaker's names.
//
//   regular      the covariance of all features in doubles, then its eigenvectors: exact; n d^2 operations
//   randomized   subspace iteration from num_components + extra_components random directions (-1: as many
//                again, at least 10): n d (num_components + extra_components) operations a pass, for data of
//                many features
// Components come from the largest variance down (SageMaker's files have them the other way round), each with
// its largest weight positive. With subtract_mean=false the second moments take the covariance's place.
// Weights are taken, missing values refused; mini_batch_size is accepted and has no effect. The answer:
// projection, a list of num_components numbers. Metrics: explained_variance_ratio (of train, and of test: 1
// - what the projection loses) and test:mse, the mean squared error of a value put back together. Same bytes
// for any number of threads. Sources: SageMaker developer guide, "PCA hyperparameters"; Halko, Martinsson,
// Tropp, Finding structure with randomness (2011).

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

inline constexpr DataNeeds kPcaNeeds{.target = TargetUse::None, .validation = false};
std::span<const HyperParameterRule> pca_rules();
std::span<const std::string_view> pca_metrics();
Result<std::unique_ptr<const Estimator>> make_pca(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_pca(std::string_view bytes);
// explained_variance_ratio, mse
Result<std::map<std::string, double>> test_pca(const HyperParameters& parameters, const Model& model,
                                               const Dataset& data);

struct PcaComponents {
  std::size_t d = 0;
  std::vector<double> mean;        // (d,); 0 without subtract_mean
  std::vector<double> directions;  // (c, d), rows orthonormal
  std::vector<double> variances;   // (c,), from the largest
};
std::unique_ptr<const Model> make_pca_model(PcaComponents components);

}  // namespace millrace::tasks
