#pragma once
// `factorization-machines`: w0 + sum w_i x_i + sum over pairs <v_i, v_j> x_i x_j, under SageMaker's names:
// for squared loss (regressor) or cross-entropy (binary_classifier).
//
// Fitted by mini-batches of shuffled rows with Adam (Kingma and Ba 2015), whose rates are bias_lr, linear_lr
// and factors_lr; only features that a batch has are moved. A gradient is the batch's weighted mean (or its
// sum times rescale_grad), kept within clip_gradient, plus wd times the parameter; a regressor's targets are
// brought to mean 0 and deviation 1 for that (the model is in the units of the data). Over the last half of
// the epochs the rates fall. SageMaker takes sparse rows; here rows are CSV, and `categorical_features`
// (ours) names the columns that hold categories: "all", or names or places from 0, separated by commas. Each
// of their values in train is a feature of its own; a value that train has not is none. An epoch is a round
// and reports its running train:rmse or train:binary_classification_cross_entropy. Defaults are SageMaker's
// and small; scale number columns first. Missing values are refused, weights taken. The answer: score, and of
// a classifier predicted_label. One thread does the work. Sources: SageMaker developer guide, "Factorization
// machines hyperparameters"; Rendle, Factorization machines (2010).

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

inline constexpr DataNeeds kFmNeeds{.validation = false};
std::span<const HyperParameterRule> factorization_machines_rules();
std::span<const std::string_view> factorization_machines_metrics();
Result<std::unique_ptr<const Estimator>> make_factorization_machines(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_factorization_machines(std::string_view bytes);
// rmse; binary_classification_accuracy, binary_classification_cross_entropy, binary_f_beta
Result<std::map<std::string, double>> test_factorization_machines(const HyperParameters& parameters,
                                                                  const Model& model, const Dataset& data);

// How columns become features: one each, or one for each value of a column of categories.
struct FmColumns {
  struct Column {
    std::uint32_t first = 0;        // feature
    std::vector<float> categories;  // sorted; empty: a number
  };
  std::vector<Column> columns;
  std::size_t features = 0;

  // The features of a row that are not 0, added to `out`.
  void expand(const float* row, std::vector<std::pair<std::uint32_t, double>>& out) const;
};

struct FmParameters {
  bool binary = false;
  FmColumns columns;
  std::size_t factors = 0;
  double bias = 0;
  std::vector<double> linear;  // (features,)
  std::vector<double> pairs;   // (features, factors)

  // The sum for one row; `sums` (factors,) gets sum v_i x_i.
  double score(std::span<const std::pair<std::uint32_t, double>> row, std::span<double> sums) const;
};
std::unique_ptr<const Model> make_fm_model(FmParameters parameters);

}  // namespace millrace::tasks
