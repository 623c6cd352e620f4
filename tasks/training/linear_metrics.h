#pragma once
// The metrics that linear-learner reports each round, by SageMaker's names. Weighted by the rows' weights.
// Pure.

#include <map>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

struct LinearMetricSettings {
  double f_beta = 1;
  std::size_t top_k = 3;
  double threshold = 0.5;  // scores above it are of class 1
};

// Names without a channel: "roc_auc_score". What is not defined (AUC of one class, r2 of a constant target)
// is left out.
std::map<std::string, double> binary_metrics(const Matrix& predictions, const Dataset& data,
                                             const LinearMetricSettings& settings);
// The threshold that is best by `criteria` (accuracy, f_beta, precision_at_target_recall: the highest
// precision with at least the recall `target`, recall_at_target_precision: the other way round), in the
// middle between two scores; of several as good the one nearest to a half. Where nothing reaches the target,
// what comes nearest to it.
double best_threshold(const Matrix& predictions, const Dataset& data, std::string_view criteria,
                      double target, double f_beta);
std::map<std::string, double> multiclass_metrics(const Matrix& predictions, const Dataset& data,
                                                 const LinearMetricSettings& settings);
std::map<std::string, double> regression_metrics(const Matrix& predictions, const Dataset& data);

}  // namespace millrace::tasks
