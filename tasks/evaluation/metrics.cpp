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
  const double negatives = seen_negative, precision = ratio(tp, tp + fp), recall = ratio(tp, positives);
  return {{"accuracy", ratio(tp + negatives - fp, total)},
          {"precision", precision},
          {"recall", recall},
          {"f1", ratio(2 * tp, 2 * tp + fp + (positives - tp))},
          {"auc", positives > 0 && negatives > 0 ? pairs / (positives * negatives) : 0.5},
          {"aucpr", ratio(precision_sum, positives)},
          {"logloss", ratio(loss, total)},
          {"brier", ratio(squares, total)}};
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

MetricValues class_metrics(std::span<const double> labels, MatrixView probabilities,
                           std::span<const double> weights) {
  const std::size_t k = probabilities.cols;
  std::vector<double> truth(k), predicted(k), hits(k);
  double total = 0, loss = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double w = weight_of(weights, i);
    const auto label = static_cast<std::size_t>(labels[i]);
    const std::size_t guess = most_probable(probabilities.row(i));
    truth[label] += w, predicted[guess] += w, total += w;
    if (guess == label) hits[label] += w;
    loss -= w * std::log(std::clamp<double>(probabilities.row(i)[label], kLogFloor, 1));
  }
  double f1 = 0, classes = 0;
  for (std::size_t c = 0; c < k; ++c) {
    if (truth[c] + predicted[c] == 0) continue;  // scikit-learn averages over the classes that occur
    f1 += 2 * hits[c] / (truth[c] + predicted[c]);
    ++classes;
  }
  return {{"accuracy", ratio(std::accumulate(hits.begin(), hits.end(), 0.0), total)},
          {"macro_f1", ratio(f1, classes)},
          {"mlogloss", ratio(loss, total)}};
}

std::vector<double> confusion_matrix(std::span<const double> labels, MatrixView probabilities) {
  std::vector<double> counts(probabilities.cols * probabilities.cols);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    counts[static_cast<std::size_t>(labels[i]) * probabilities.cols + most_probable(probabilities.row(i))] +=
        1;
  }
  return counts;
}

MetricValues regression_metrics(std::span<const double> labels, std::span<const double> predictions,
                                std::span<const double> weights) {
  double total = 0, sum = 0, squares = 0, absolute = 0, relative = 0, relative_total = 0, spread = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double w = weight_of(weights, i), error = predictions[i] - labels[i];
    total += w, sum += w * labels[i], squares += w * error * error, absolute += w * std::abs(error);
    if (labels[i] != 0) relative += w * std::abs(error / labels[i]), relative_total += w;
  }
  const double mean = ratio(sum, total);
  for (std::size_t i = 0; i < labels.size(); ++i)
    spread += weight_of(weights, i) * (labels[i] - mean) * (labels[i] - mean);
  const double mse = ratio(squares, total);
  return {{"rmse", std::sqrt(mse)},
          {"mae", ratio(absolute, total)},
          {"mse", mse},
          {"r2", spread > 0 ? 1 - squares / spread : 0},
          {"mape", ratio(relative, relative_total)}};
}

std::vector<double> bootstrap_weights(std::size_t rows, std::uint64_t seed, std::uint64_t sample) {
  Random random = Random(seed).derive("bootstrap", sample);
  std::vector<double> weights(rows);
  for (std::size_t i = 0; i < rows; ++i) weights[random.below(rows)] += 1;
  return weights;
}

}  // namespace millrace::tasks
