#include "tasks/training/linear_loss.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

namespace {

double sign(double x) {
  return x > 0 ? 1 : (x < 0 ? -1 : 0);
}

// Regression losses by the residual r = score - target.
double residual_loss(const Loss& loss, double r, double& derivative) {
  const double size = std::abs(r), beyond = std::max(0.0, size - loss.parameter);
  switch (loss.kind) {
    case LossKind::Absolute:
      derivative = sign(r);
      return size;
    case LossKind::Huber:
      derivative = size <= loss.parameter ? r : loss.parameter * sign(r);
      return size <= loss.parameter ? 0.5 * r * r : loss.parameter * (size - 0.5 * loss.parameter);
    case LossKind::Quantile:
      derivative = r > 0 ? 1 - loss.parameter : (r < 0 ? -loss.parameter : 0);
      return derivative * r;
    case LossKind::EpsSquared:
      derivative = beyond * sign(r);
      return 0.5 * beyond * beyond;
    case LossKind::EpsAbsolute:
      derivative = beyond > 0 ? sign(r) : 0;
      return beyond;
    default:
      derivative = r;
      return 0.5 * r * r;
  }
}

}  // namespace

double logistic(double score) {
  if (score >= 0) return 1 / (1 + std::exp(-score));
  const double e = std::exp(score);
  return e / (1 + e);
}

void softmax(double* scores, int k) {
  const double largest = *std::max_element(scores, scores + k);
  double sum = 0;
  for (int c = 0; c < k; ++c) sum += scores[c] = std::exp(scores[c] - largest);
  for (int c = 0; c < k; ++c) scores[c] /= sum;
}

double loss_and_derivative(const Loss& loss, double* scores, int k, double target) {
  if (loss.kind == LossKind::Softmax) {
    softmax(scores, k);
    const auto c = static_cast<int>(target);
    const double value = -std::log(std::max(scores[c], 1e-300));
    scores[c] -= 1;
    return value;
  }
  const double s = scores[0];
  if (loss.kind == LossKind::Logistic) {
    const double e = std::exp(-std::abs(s));
    scores[0] = (s >= 0 ? 1 / (1 + e) : e / (1 + e)) - target;
    return std::max(s, 0.0) - s * target + std::log1p(e);
  }
  if (loss.kind == LossKind::Hinge) {
    const double y = target > 0.5 ? 1 : -1, margin = 1 - y * s;
    scores[0] = margin > 0 ? -y : 0;
    return std::max(0.0, margin);
  }
  return residual_loss(loss, s - target, scores[0]);
}

}  // namespace millrace::tasks
