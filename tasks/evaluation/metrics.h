#pragma once
// Metrics of predictions against the truth: pure functions of vectors. Names are scikit-learn's and
// XGBoost's. `weights` are counts of the rows (a bootstrap draws them) or empty, which is 1 each. Any thread.

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

using MetricValues =
    std::vector<std::pair<std::string_view, double>>;  // always the same names in the same order

// Scores of one class, sorted once so that every resampling is one pass.
class BinaryScores {
 public:
  // labels (n,) of 0 and 1; scores (n,) in [0, 1], the probability of 1. Cost: O(n log n).
  BinaryScores(std::span<const double> labels, std::span<const double> scores);

  // accuracy, precision, recall, f1, f0_5, f2, specificity, balanced_accuracy, mcc (Matthews' correlation)
  // and cohen_kappa at `score >= threshold`; auc (ties count half), aucpr (average precision, the sum of (R_n
  // - R_{n-1}) P_n over distinct scores, as scikit-learn), logloss (scores kept 1e-15 from 0 and 1), brier. A
  // metric that is not defined (no positive rows, …) is 0, as scikit-learn's zero_division; auc is then 0.5.
  // O(n).
  MetricValues metrics(double threshold, std::span<const double> weights = {}) const;
  struct Point {
    double threshold = 0, true_positives = 0, false_positives = 0;
  };
  // One for each distinct score, from the highest: rows at or above it.
  std::vector<Point> points() const;
  // The threshold with the highest F1 and that F1; of equals the highest threshold.
  std::pair<double, double> best_f1() const;
  // The threshold that a rule likes best, and what it is worth there; of equals the highest threshold.
  struct ThresholdRule {
    enum class By { F1, Cost, Precision, Recall };
    By by = By::F1;
    double false_positive_cost = 1, false_negative_cost = 1;  // Cost: the smallest mean cost a row
    double target = 0.9;  // Precision: the highest recall with at least that; Recall: the other way round
  };
  // The value is F1, mean cost, recall or precision. InvalidArgument: no threshold reaches the target.
  Result<std::pair<double, double>> choose_threshold(const ThresholdRule& rule) const;
  double positives() const { return positives_; }
  std::size_t size() const { return order_.size(); }

 private:
  std::vector<double> labels_, scores_;  // from the highest score
  std::vector<std::uint32_t> order_;     // the row each came from
  double positives_ = 0;
};

// labels (n,) in 0..k-1, probabilities (n, k): accuracy, macro_f1, mlogloss, balanced_accuracy,
// macro_precision, macro_recall, weighted_precision, weighted_recall, weighted_f1, mcc, cohen_kappa, and
// top_3_accuracy, top_5_accuracy where there are more classes than that. Macro means are over the classes
// that occur in truth or predictions, balanced_accuracy over those of the truth, as scikit-learn's.
MetricValues class_metrics(std::span<const double> labels, MatrixView probabilities,
                           std::span<const double> weights = {});
// Counts (k, k), truth in rows, the most probable class in columns.
std::vector<double> confusion_matrix(std::span<const double> labels, MatrixView probabilities);
// Predictions of numbers, sorted by their error once so that every resampling is one pass.
class RegressionScores {
 public:
  // `quantile_level` in (0, 1): quantile_loss is that of predictions of this quantile; 0: none.
  RegressionScores(std::span<const double> labels, std::span<const double> predictions,
                   double quantile_level = 0);

  // rmse, mae, mse, r2, mape and smape (rows whose truth is 0, or truth and prediction, are left out of
  // them), median_ae, explained_variance, max_error; rmsle where nothing is negative; quantile_loss.
  MetricValues metrics(std::span<const double> weights = {}) const;

 private:
  std::vector<double> labels_, predictions_;
  std::vector<std::uint32_t> by_error_;  // rows by their absolute error
  double quantile_level_ = 0;
  std::vector<double> log_squares_;  // by row: of the difference of logarithms; empty where there are none
};
MetricValues regression_metrics(std::span<const double> labels, std::span<const double> predictions,
                                std::span<const double> weights = {});

// Counts of rows in one bootstrap sample: n draws with replacement, from the seed and the sample's number
// alone.
std::vector<double> bootstrap_weights(std::size_t rows, std::uint64_t seed, std::uint64_t sample);

}  // namespace millrace::tasks
