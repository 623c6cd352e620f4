#pragma once
// Losses of linear models: of scores s = w x + b against a target, and their derivatives by the scores. Pure.

#include <string_view>

namespace millrace::tasks {

enum class LossKind { Logistic, Hinge, Softmax, Squared, Absolute, Huber, Quantile, EpsSquared, EpsAbsolute };

struct Loss {
  LossKind kind = LossKind::Squared;
  double parameter = 0;  // delta, quantile or epsilon
  bool smooth() const {
    return kind == LossKind::Logistic || kind == LossKind::Softmax || kind == LossKind::Squared ||
           kind == LossKind::Huber;
  }
};

// The loss of one row; derivatives replace the scores. `k` scores, one unless Softmax. Targets: 0 or 1
// (Logistic, Hinge), the class (Softmax), else any number. Never overflows.
double loss_and_derivative(const Loss& loss, double* scores, int k, double target);

// scores[0..k) to probabilities in place.
void softmax(double* scores, int k);
double logistic(double score);

}  // namespace millrace::tasks
