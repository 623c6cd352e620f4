#include "tasks/training/linear_metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace millrace::tasks {

namespace {

double weight_of(const Dataset& data, std::size_t i) {
  return data.weights.empty() ? 1 : data.weights[i];
}

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double f_score(double precision, double recall, double beta) {
  return share((1 + beta * beta) * precision * recall, beta * beta * precision + recall);
}

// The chance that a row of class 1 scores above one of class 0, ties counting half; negative when there is
// only one class.
double area_under_roc(const Matrix& predictions, const Dataset& data) {
  std::vector<std::size_t> order(data.y.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(predictions.values[i], i); });
  double area = 0, below = 0, positives = 0;
  for (std::size_t at = 0; at < order.size();) {
    double tied_0 = 0, tied_1 = 0;
    const float score = predictions.values[order[at]];
    for (; at < order.size() && predictions.values[order[at]] == score; ++at) {
      (data.y[order[at]] > 0.5 ? tied_1 : tied_0) += weight_of(data, order[at]);
    }
    area += tied_1 * (below + 0.5 * tied_0);
    below += tied_0, positives += tied_1;
  }
  return below > 0 && positives > 0 ? area / (below * positives) : -1;
}

}  // namespace

std::map<std::string, double> binary_metrics(const Matrix& predictions, const Dataset& data,
                                             const LinearMetricSettings& settings) {
  double hit[2] = {0, 0}, miss[2] = {0, 0};  // by the class predicted
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const bool guess = static_cast<double>(predictions.values[i]) > settings.threshold,
               truth = data.y[i] > 0.5;
    (guess == truth ? hit : miss)[guess] += weight_of(data, i);
  }
  std::map<std::string, double> metrics;
  const double precision = share(hit[1], hit[1] + miss[1]), recall = share(hit[1], hit[1] + miss[0]);
  metrics["binary_classification_accuracy"] = share(hit[0] + hit[1], hit[0] + hit[1] + miss[0] + miss[1]);
  metrics["precision"] = precision, metrics["recall"] = recall;
  metrics["binary_f_beta"] = f_score(precision, recall, settings.f_beta);
  if (const double area = area_under_roc(predictions, data); area >= 0) metrics["roc_auc_score"] = area;
  return metrics;
}

double best_threshold(const Matrix& predictions, const Dataset& data, std::string_view criteria,
                      double target, double f_beta) {
  std::vector<std::size_t> order(data.y.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::greater{},
                    [&](std::size_t i) { return std::pair(predictions.values[i], i); });
  double positives = 0, total = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    total += weight_of(data, i);
    if (data.y[i] > 0.5) positives += weight_of(data, i);
  }
  // Goals are compared one after the other: whether the target is reached, then what it is reached for.
  using Goals = std::pair<double, double>;
  const auto goals_of = [&](double hits, double guessed) -> Goals {
    const double precision = share(hits, guessed), recall = share(hits, positives);
    if (criteria == "f_beta") return {f_score(precision, recall, f_beta), 0};
    if (criteria == "precision_at_target_recall") return {std::min(recall, target), precision};
    if (criteria == "recall_at_target_precision") return {std::min(precision, target), recall};
    return {share(hits + (total - positives) - (guessed - hits), total), 0};
  };
  Goals best{-1, -1};
  double threshold = 0.5, hits = 0, guessed = 0;
  const auto offer = [&](double at) {
    const Goals goals = goals_of(hits, guessed);
    if (goals < best || (goals == best && std::abs(at - 0.5) >= std::abs(threshold - 0.5))) return;
    best = goals, threshold = at;
  };
  const auto score = [&](std::size_t at) { return static_cast<double>(predictions.values[order[at]]); };
  if (order.empty()) return threshold;
  offer((1 + score(0)) / 2);  // none is of class 1
  for (std::size_t at = 0; at < order.size();) {
    const double here = score(at);
    for (; at < order.size() && score(at) == here; ++at) {
      const double weight = weight_of(data, order[at]);
      guessed += weight;
      if (data.y[order[at]] > 0.5) hits += weight;
    }
    offer(at < order.size() ? (here + score(at)) / 2 : here / 2);
  }
  return threshold;
}

std::map<std::string, double> multiclass_metrics(const Matrix& predictions, const Dataset& data,
                                                 const LinearMetricSettings& settings) {
  const std::size_t k = predictions.cols;
  std::vector<double> hits(k), guessed(k), actual(k);
  double total = 0, right = 0, near = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const float* row = predictions.values.data() + i * k;
    const auto truth = static_cast<std::size_t>(data.y[i]);
    const auto guess = static_cast<std::size_t>(std::max_element(row, row + k) - row);
    const auto rank =
        static_cast<std::size_t>(std::count_if(row, row + k, [&](float p) { return p > row[truth]; }));
    const double weight = weight_of(data, i);
    total += weight, guessed[guess] += weight, actual[truth] += weight;
    if (guess == truth) right += weight, hits[guess] += weight;
    if (rank < settings.top_k) near += weight;
  }
  double precision = 0, recall = 0, f = 0;
  for (std::size_t c = 0; c < k; ++c) {
    const double p = share(hits[c], guessed[c]), r = share(hits[c], actual[c]);
    precision += p, recall += r, f += f_score(p, r, settings.f_beta);
  }
  const auto classes = static_cast<double>(k);
  return {{"multiclass_accuracy", share(right, total)},
          {"multiclass_top_k_accuracy", share(near, total)},
          {"macro_precision", precision / classes},
          {"macro_recall", recall / classes},
          {"macro_f_beta", f / classes}};
}

std::map<std::string, double> regression_metrics(const Matrix& predictions, const Dataset& data) {
  double total = 0, sum = 0, squares = 0, absolutes = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const double weight = weight_of(data, i), r = static_cast<double>(predictions.values[i]) - data.y[i];
    total += weight, sum += weight * data.y[i], squares += weight * r * r, absolutes += weight * std::abs(r);
  }
  double spread = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i)
    spread += weight_of(data, i) * std::pow(data.y[i] - sum / total, 2);
  std::map<std::string, double> metrics{
      {"mse", squares / total}, {"rmse", std::sqrt(squares / total)}, {"absolute_loss", absolutes / total}};
  if (spread > 0) metrics["r2"] = 1 - squares / spread;
  return metrics;
}

}  // namespace millrace::tasks
