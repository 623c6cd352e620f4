#pragma once
// The metrics that linear-learner reports each round, by SageMaker's names. Weighted by the rows' weights.
// Pure.

#include <map>
#include <string>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

struct LinearMetricSettings {
  double f_beta = 1;
  std::size_t top_k = 3;
};

// Names without a channel: "roc_auc_score". What is not defined (AUC of one class, r2 of a constant target)
// is left out.
std::map<std::string, double> binary_metrics(const Matrix& predictions, const Dataset& data,
                                             const LinearMetricSettings& settings);
std::map<std::string, double> multiclass_metrics(const Matrix& predictions, const Dataset& data,
                                                 const LinearMetricSettings& settings);
std::map<std::string, double> regression_metrics(const Matrix& predictions, const Dataset& data);

}  // namespace millrace::tasks
