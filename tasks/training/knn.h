#pragma once
// `knn`: the k rows of a sample of train that are nearest, under SageMaker's names: a vote of their classes
// or the mean of their targets.
//
// The index is exact (faiss.Flat): at most sample_size rows of train, drawn by the seed, in the given order.
// index_metric L2, INNER_PRODUCT (the largest product is nearest) or COSINE; equally near rows go by their
// order. dimension_reduction_type projects rows to dimension_reduction_target numbers first: sign, a random
// matrix of signs; fjlt, signs and a part of a Hadamard transform.
// A classifier's targets are whole numbers from 0; its model gives each class's share of the k neighbours,
// and the answer, predicted_label, is the first class of the largest share. Weights and missing values are
// refused; mini_batch_size is accepted and has no effect. Scoring costs rows of the index times d. Sources:
// SageMaker developer guide, "k-NN hyperparameters"; Ailon and Chazelle, The fast Johnson-Lindenstrauss
// transform (2009).

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

inline constexpr DataNeeds kKnnNeeds{.weights = false, .validation = false};
std::span<const HyperParameterRule> knn_rules();
std::span<const std::string_view> knn_metrics();
Result<std::unique_ptr<const Estimator>> make_knn(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_knn(std::string_view bytes);
// accuracy of a classifier, mse of a regressor
Result<std::map<std::string, double>> test_knn(const HyperParameters& parameters, const Model& model,
                                               const Dataset& data);

}  // namespace millrace::tasks
