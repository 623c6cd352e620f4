// The linear booster: one coordinate at a time, by Newton steps with soft thresholds.
// Source: Friedman, Hastie and Tibshirani (2010); XGBoost's coord_descent, whose penalties count each row.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tasks/trees/boost.h"

namespace millrace::tasks::trees {

namespace {

constexpr double kLeastCurvature = 1e-5;

}  // namespace

// The step of one weight, before the learning rate. `rows` is the number of rows (or their weights).
double Booster::linear_step(std::size_t feature, std::size_t output, double rows) const {
  const std::size_t d = ensemble_.features;
  double gradient = 0, curvature = 0;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const float x = train_.X.data[i * d + feature];
    if (x != x) continue;
    gradient += double(pairs_[i].gradient) * double(x);
    curvature += double(pairs_[i].hessian) * double(x) * double(x);
  }
  if (curvature < kLeastCurvature) return 0;
  const double w = double(ensemble_.linear[feature * ensemble_.outputs + output]);
  const double lambda = settings_.linear.lambda * rows, alpha = settings_.linear.alpha * rows;
  const double g = gradient + lambda * w, h = curvature + lambda;
  return w - g / h >= 0 ? std::max(-(g + alpha) / h, -w) : std::min(-(g - alpha) / h, -w);
}

void Booster::change_weight(std::size_t feature, std::size_t output, double step) {
  const std::size_t d = ensemble_.features;
  float& weight = ensemble_.linear[feature * ensemble_.outputs + output];
  const float old = weight;
  weight += static_cast<float>(step * settings_.linear.learning_rate);
  const float change = weight - old;
  if (change == 0) return;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const float x = feature == d ? 1.0f : train_.X.data[i * d + feature];
    if (x == x) pairs_[i].gradient += pairs_[i].hessian * x * change;
  }
}

std::vector<std::size_t> Booster::linear_order(std::size_t output, double rows, Random& random) const {
  using enum LinearSettings::Order;
  std::vector<std::size_t> order(ensemble_.features);
  std::iota(order.begin(), order.end(), std::size_t(0));
  if (settings_.linear.order == Shuffle) shuffle(order, random);
  if (settings_.linear.order == Random) {
    for (std::size_t& feature : order) feature = random.below(ensemble_.features);
  }
  if (settings_.linear.order == Thrifty) {
    std::vector<double> size(ensemble_.features);
    for (std::size_t j = 0; j < size.size(); ++j) size[j] = std::abs(linear_step(j, output, rows));
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return size[a] > size[b]; });
    if (settings_.linear.top > 0 && settings_.linear.top < order.size()) order.resize(settings_.linear.top);
  }
  return order;
}

void Booster::linear_round() {
  const std::size_t n = pairs_.size(), d = ensemble_.features;
  const double rows =
      train_.weights.empty() ? double(n) : std::accumulate(train_.weights.begin(), train_.weights.end(), 0.0);
  // The order is drawn anew each round; the weights say which round it is, also to a run that continues one.
  const std::string_view state(reinterpret_cast<const char*>(ensemble_.linear.data()),
                               ensemble_.linear.size() * sizeof(float));
  millrace::Random random(hash64(state, settings_.seed));
  objective_->begin_round(train_scores_, n, team_);
  for (std::size_t k = 0; k < ensemble_.outputs; ++k) {
    gradients_of(k);
    double gradient = 0, hessian = 0;
    for (const GradientPair& pair : pairs_)
      gradient += double(pair.gradient), hessian += double(pair.hessian);
    const double lambda = settings_.linear.lambda_bias * rows,
                 bias = double(ensemble_.linear[d * ensemble_.outputs + k]);
    if (hessian > kLeastCurvature) change_weight(d, k, -(gradient + lambda * bias) / (hessian + lambda));
    if (settings_.linear.order == LinearSettings::Order::Greedy) {
      const std::size_t steps = settings_.linear.top > 0 ? std::min(settings_.linear.top, d) : d;
      for (std::size_t s = 0; s < steps; ++s) {
        std::size_t best = 0;
        double step = 0;
        for (std::size_t j = 0; j < d; ++j) {
          const double found = linear_step(j, k, rows);
          if (std::abs(found) > std::abs(step)) best = j, step = found;
        }
        change_weight(best, k, step);
      }
      continue;
    }
    for (const std::size_t feature : linear_order(k, rows, random))
      change_weight(feature, k, linear_step(feature, k, rows));
  }
  rescore(train_, train_scores_, {});
  if (has_validation_) rescore(validation_, validation_scores_, {});
}

}  // namespace millrace::tasks::trees
