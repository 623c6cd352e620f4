#include "tasks/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"

namespace millrace::tasks {
namespace {

constexpr double kLogFloor = 1e-15;

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}
double weight_of(std::span<const double> weights, std::size_t row) {
  return weights.empty() ? 1.0 : weights[row];
}

double f_beta(double beta, double tp, double fp, double fn) {
  const double b2 = beta * beta;
  return ratio((1 + b2) * tp, (1 + b2) * tp + b2 * fn + fp);
}

// Mean recall of the classes that the truth has.
double balanced(double tp, double fn, double tn, double fp) {
  if (tp + fn == 0) return ratio(tn, tn + fp);
  if (tn + fp == 0) return ratio(tp, tp + fn);
  return (tp / (tp + fn) + tn / (tn + fp)) / 2;
}

// Agreement beyond what chance gives with these numbers of rows by class.
double kappa(double hits, std::initializer_list<double> truth, std::initializer_list<double> predicted) {
  double total = 0, chance = 0;
  for (auto t = truth.begin(), p = predicted.begin(); t != truth.end(); ++t, ++p) {
    total += *t;
    chance += *t * *p;
  }
  chance = ratio(chance, total);
  return ratio(hits - chance, total - chance);
}

// The place of the label's probability among the row's, from 0; of equal ones the later columns come first,
// as in scikit-learn's top_k_accuracy_score.
std::size_t rank_of(std::span<const float> row, std::size_t label) {
  std::size_t rank = 0;
  for (std::size_t c = 0; c < row.size(); ++c)
    rank += row[c] > row[label] || (row[c] == row[label] && c > label);
  return rank;
}

std::size_t most_probable(std::span<const float> row) {
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace

BinaryScores::BinaryScores(std::span<const double> labels, std::span<const double> scores)
    : order_(labels.size()) {
  std::iota(order_.begin(), order_.end(), 0u);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
  for (const std::uint32_t row : order_) {
    labels_.push_back(labels[row]);
    scores_.push_back(scores[row]);
    positives_ += labels[row];
  }
}

MetricValues BinaryScores::metrics(double threshold, std::span<const double> weights) const {
  double total = 0, positives = 0, tp = 0, fp = 0, pairs = 0, precision_sum = 0, loss = 0, squares = 0;
  double seen_positive = 0, seen_negative = 0;
  for (std::size_t i = 0; i < order_.size();) {
    double group_positive = 0, group_negative = 0;
    const double score = scores_[i];
    for (; i < order_.size() && scores_[i] == score; ++i) {
      const double w = weight_of(weights, order_[i]);
      (labels_[i] != 0 ? group_positive : group_negative) += w;
    }
    const double p = std::clamp(score, kLogFloor, 1 - kLogFloor);
    loss -= group_positive * std::log(p) + group_negative * std::log1p(-p);
    squares += group_positive * (1 - score) * (1 - score) + group_negative * score * score;
    if (score >= threshold) tp += group_positive, fp += group_negative;
    pairs += group_negative * (seen_positive + group_positive / 2);
    seen_positive += group_positive;
    seen_negative += group_negative;
    precision_sum += group_positive * ratio(seen_positive, seen_positive + seen_negative);
  }
  positives = seen_positive;
  total = seen_positive + seen_negative;
  const double fn = positives - tp, tn = seen_negative - fp;
  const double negatives = seen_negative, precision = ratio(tp, tp + fp), recall = ratio(tp, positives);
  return {{"accuracy", ratio(tp + negatives - fp, total)},
          {"precision", precision},
          {"recall", recall},
          {"f1", ratio(2 * tp, 2 * tp + fp + (positives - tp))},
          {"auc", positives > 0 && negatives > 0 ? pairs / (positives * negatives) : 0.5},
          {"aucpr", ratio(precision_sum, positives)},
          {"logloss", ratio(loss, total)},
          {"brier", ratio(squares, total)},
          {"balanced_accuracy", balanced(tp, fn, tn, fp)},
          {"specificity", ratio(tn, negatives)},
          {"f0_5", f_beta(0.5, tp, fp, fn)},
          {"f2", f_beta(2, tp, fp, fn)},
          {"mcc", ratio(tp * tn - fp * fn, std::sqrt((tp + fp) * positives * negatives * (tn + fn)))},
          {"cohen_kappa", kappa(tp + tn, {positives, negatives}, {tp + fp, tn + fn})}};
}

std::vector<BinaryScores::Point> BinaryScores::points() const {
  std::vector<Point> out;
  double tp = 0, fp = 0;
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    (labels_[i] != 0 ? tp : fp) += 1;
    if (i + 1 == scores_.size() || scores_[i + 1] != scores_[i]) out.push_back({scores_[i], tp, fp});
  }
  return out;
}

std::pair<double, double> BinaryScores::best_f1() const {
  std::pair<double, double> best{0.5, -1};
  for (const Point& point : points()) {
    const double f1 =
        ratio(2 * point.true_positives, point.true_positives + point.false_positives + positives_);
    if (f1 > best.second) best = {point.threshold, f1};
  }
  return {best.first, std::max(best.second, 0.0)};
}

Result<std::pair<double, double>> BinaryScores::choose_threshold(const ThresholdRule& rule) const {
  const double negatives = static_cast<double>(size()) - positives_;
  std::pair<double, double> best{0, 0};
  bool any = false;
  const auto offer = [&](double threshold, double value, bool better) {
    if (!any || better) best = {threshold, value};
    any = true;
  };
  for (const Point& point : points()) {
    const double tp = point.true_positives, fp = point.false_positives;
    const double precision = ratio(tp, tp + fp), recall = ratio(tp, positives_);
    switch (rule.by) {
      case ThresholdRule::By::F1: {
        const double f1 = ratio(2 * tp, tp + fp + positives_);
        offer(point.threshold, f1, f1 > best.second);
        break;
      }
      case ThresholdRule::By::Cost: {
        const double cost =
            ratio(fp * rule.false_positive_cost + (positives_ - tp) * rule.false_negative_cost,
                  positives_ + negatives);
        offer(point.threshold, cost, cost < best.second);
        break;
      }
      case ThresholdRule::By::Precision:
        if (precision >= rule.target) offer(point.threshold, recall, recall > best.second);
        break;
      case ThresholdRule::By::Recall:
        if (recall >= rule.target) offer(point.threshold, precision, precision > best.second);
        break;
    }
  }
  if (!any)
    return invalid("no threshold reaches a " +
                   std::string(rule.by == ThresholdRule::By::Precision ? "precision" : "recall") +
                   " of the target");
  return best;
}

MetricValues class_metrics(std::span<const double> labels, MatrixView probabilities,
                           std::span<const double> weights) {
  const std::size_t k = probabilities.cols;
  std::vector<double> truth(k), predicted(k), hits(k);
  double total = 0, loss = 0, top_3 = 0, top_5 = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double w = weight_of(weights, i);
    if (w == 0) continue;
    const auto label = static_cast<std::size_t>(labels[i]);
    const std::size_t guess = most_probable(probabilities.row(i));
    truth[label] += w, predicted[guess] += w, total += w;
    if (guess == label) hits[label] += w;
    if (k > 3) {
      const std::size_t rank = rank_of(probabilities.row(i), label);
      top_3 += rank < 3 ? w : 0;
      top_5 += rank < 5 ? w : 0;
    }
    loss -= w * std::log(std::clamp<double>(probabilities.row(i)[label], kLogFloor, 1));
  }
  double classes = 0, in_truth = 0, chance = 0, truth_squares = 0, predicted_squares = 0;
  struct Mean {
    double precision = 0, recall = 0, f1 = 0;
  } macro, weighted;
  for (std::size_t c = 0; c < k; ++c) {
    if (truth[c] + predicted[c] == 0) continue;  // scikit-learn averages over the classes that occur
    ++classes;
    in_truth += truth[c] > 0;
    chance += truth[c] * predicted[c];
    truth_squares += truth[c] * truth[c];
    predicted_squares += predicted[c] * predicted[c];
    const Mean own{ratio(hits[c], predicted[c]), ratio(hits[c], truth[c]),
                   2 * hits[c] / (truth[c] + predicted[c])};
    macro.precision += own.precision, macro.recall += own.recall, macro.f1 += own.f1;
    weighted.precision += truth[c] * own.precision, weighted.recall += truth[c] * own.recall;
    weighted.f1 += truth[c] * own.f1;
  }
  const double right = std::accumulate(hits.begin(), hits.end(), 0.0);
  const double spread = std::sqrt((total * total - truth_squares) * (total * total - predicted_squares));
  MetricValues out = {{"accuracy", ratio(right, total)},
                      {"macro_f1", ratio(macro.f1, classes)},
                      {"mlogloss", ratio(loss, total)},
                      {"balanced_accuracy", ratio(macro.recall, in_truth)},
                      {"macro_precision", ratio(macro.precision, classes)},
                      {"macro_recall", ratio(macro.recall, classes)},
                      {"weighted_precision", ratio(weighted.precision, total)},
                      {"weighted_recall", ratio(weighted.recall, total)},
                      {"weighted_f1", ratio(weighted.f1, total)},
                      {"mcc", ratio(right * total - chance, spread)},
                      {"cohen_kappa", ratio(right * total - chance, total * total - chance)}};
  if (k > 3) out.emplace_back("top_3_accuracy", ratio(top_3, total));
  if (k > 5) out.emplace_back("top_5_accuracy", ratio(top_5, total));
  return out;
}

std::vector<double> confusion_matrix(std::span<const double> labels, MatrixView probabilities) {
  std::vector<double> counts(probabilities.cols * probabilities.cols);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    counts[static_cast<std::size_t>(labels[i]) * probabilities.cols + most_probable(probabilities.row(i))] +=
        1;
  }
  return counts;
}

RegressionScores::RegressionScores(std::span<const double> labels, std::span<const double> predictions,
                                   double quantile_level)
    : labels_(labels.begin(), labels.end()),
      predictions_(predictions.begin(), predictions.end()),
      by_error_(labels.size()),
      quantile_level_(quantile_level) {
  std::iota(by_error_.begin(), by_error_.end(), 0u);
  const auto error = [&](std::uint32_t i) { return std::abs(predictions_[i] - labels_[i]); };
  std::stable_sort(by_error_.begin(), by_error_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return error(a) < error(b); });
  const auto negative = [](double x) { return x < 0; };
  if (std::any_of(labels_.begin(), labels_.end(), negative) ||
      std::any_of(predictions_.begin(), predictions_.end(), negative))
    return;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const double step = std::log1p(predictions_[i]) - std::log1p(labels_[i]);
    log_squares_.push_back(step * step);
  }
}

MetricValues RegressionScores::metrics(std::span<const double> weights) const {
  double total = 0, sum = 0, errors = 0, squares = 0, absolute = 0, relative = 0, relative_total = 0,
         symmetric = 0, symmetric_total = 0, logarithms = 0, quantiles = 0, largest = 0;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const double w = weight_of(weights, i), y = labels_[i], p = predictions_[i], error = p - y;
    if (w == 0) continue;
    total += w, sum += w * y, errors += w * error, squares += w * error * error;
    absolute += w * std::abs(error);
    largest = std::max(largest, std::abs(error));
    if (y != 0) relative += w * std::abs(error / y), relative_total += w;
    const double size = std::abs(y) + std::abs(p);
    if (size > 0) symmetric += w * 2 * std::abs(error) / size, symmetric_total += w;
    if (!log_squares_.empty()) logarithms += w * log_squares_[i];
    quantiles += w * (error < 0 ? -quantile_level_ * error : (1 - quantile_level_) * error);
  }
  const double mean = ratio(sum, total), mean_error = ratio(errors, total);
  double spread = 0, error_spread = 0, passed = 0, below = 0, above = 0;
  bool found = false;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const double w = weight_of(weights, i), error = predictions_[i] - labels_[i];
    spread += w * (labels_[i] - mean) * (labels_[i] - mean);
    error_spread += w * (error - mean_error) * (error - mean_error);
  }
  // The median counts a row as often as its weight says: the mean of the two in the middle.
  for (const std::uint32_t i : by_error_) {
    const double w = weight_of(weights, i), error = std::abs(predictions_[i] - labels_[i]);
    if (w == 0) continue;
    passed += w;
    if (!found && 2 * passed >= total) below = error, found = true;
    if (2 * passed > total) {
      above = error;
      break;
    }
  }
  const double mse = ratio(squares, total);
  MetricValues out = {{"rmse", std::sqrt(mse)},
                      {"mae", ratio(absolute, total)},
                      {"mse", mse},
                      {"r2", spread > 0 ? 1 - squares / spread : 0},
                      {"mape", ratio(relative, relative_total)},
                      {"smape", ratio(symmetric, symmetric_total)},
                      {"median_ae", (below + above) / 2},
                      {"explained_variance", spread > 0 ? 1 - error_spread / spread : 0},
                      {"max_error", largest}};
  if (!log_squares_.empty()) out.emplace_back("rmsle", std::sqrt(ratio(logarithms, total)));
  if (quantile_level_ > 0) out.emplace_back("quantile_loss", ratio(quantiles, total));
  return out;
}

MetricValues regression_metrics(std::span<const double> labels, std::span<const double> predictions,
                                std::span<const double> weights) {
  return RegressionScores(labels, predictions).metrics(weights);
}

std::vector<double> bootstrap_weights(std::size_t rows, std::uint64_t seed, std::uint64_t sample) {
  Random random = Random(seed).derive("bootstrap", sample);
  std::vector<double> weights(rows);
  for (std::size_t i = 0; i < rows; ++i) weights[random.below(rows)] += 1;
  return weights;
}

}  // namespace millrace::tasks
