#pragma once
// Names of metrics that classifiers and regressors report, shared by the algorithms that report all of them.

#include <array>
#include <cstddef>
#include <string_view>

namespace millrace::tasks {

inline constexpr std::string_view kValidationMetrics[] = {
    "validation:objective_loss",
    "validation:binary_classification_accuracy",
    "validation:binary_f_beta",
    "validation:precision",
    "validation:recall",
    "validation:roc_auc_score",
    "validation:multiclass_accuracy",
    "validation:multiclass_top_k_accuracy",
    "validation:macro_f_beta",
    "validation:macro_precision",
    "validation:macro_recall",
    "validation:mse",
    "validation:rmse",
    "validation:absolute_loss",
    "validation:r2",
};
// Of the channel `test`: the same without the loss.
inline constexpr std::string_view kTestMetrics[] = {
    "test:binary_classification_accuracy",
    "test:binary_f_beta",
    "test:precision",
    "test:recall",
    "test:roc_auc_score",
    "test:multiclass_accuracy",
    "test:multiclass_top_k_accuracy",
    "test:macro_f_beta",
    "test:macro_precision",
    "test:macro_recall",
    "test:mse",
    "test:rmse",
    "test:absolute_loss",
    "test:r2",
};

// The names of the channel `validation`, one of train, and those of the channel `test`.
constexpr auto metrics_with(std::string_view of_train) {
  constexpr std::size_t kValidation = std::size(kValidationMetrics), kTest = std::size(kTestMetrics);
  std::array<std::string_view, kValidation + 1 + kTest> names{};
  for (std::size_t i = 0; i < kValidation; ++i) names[i] = kValidationMetrics[i];
  names[kValidation] = of_train;
  for (std::size_t i = 0; i < kTest; ++i) names[kValidation + 1 + i] = kTestMetrics[i];
  return names;
}

}  // namespace millrace::tasks
