#include "tasks/training/mlp/steps.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

namespace {

constexpr float kLeastRoot = 1e-8f;

}  // namespace

NetworkStepper::NetworkStepper(NetworkStepSettings settings, const NetworkShape& shape)
    : settings_(settings), shape_(shape) {
  const NetworkOptimizer kind = settings.optimizer;
  if (kind == NetworkOptimizer::Momentum || kind == NetworkOptimizer::Adam) mean_.assign(shape.size(), 0);
  if (kind != NetworkOptimizer::Sgd && kind != NetworkOptimizer::Momentum) square_.assign(shape.size(), 0);
}

void NetworkStepper::step(std::vector<float>& parameters, const std::vector<float>& gradient, float scale) {
  begin_step();
  step_piece(parameters.data(), gradient.data(), scale, 0, parameters.size());
}

void NetworkStepper::step_piece(float* parameters, const float* gradient, float scale, std::size_t begin,
                                std::size_t end) {
  for (std::size_t l = 0, weights = 0; l < shape_.layers() && weights < end; ++l) {
    const std::size_t biases = weights + shape_.weights_of(l), next = biases + shape_.widths[l + 1];
    step_range(parameters, gradient, std::max(begin, weights), std::min(end, biases), scale,
               static_cast<float>(settings_.decay));
    step_range(parameters, gradient, std::max(begin, biases), std::min(end, next), scale, 0);
    weights = next;
  }
}

void NetworkStepper::step_range(float* w, const float* gradient, std::size_t begin, std::size_t end,
                                float scale, float decay) {
  const auto rate = static_cast<float>(rate_);
  float *v = mean_.data(), *s = square_.data();
  switch (settings_.optimizer) {
    case NetworkOptimizer::Sgd:
      for (std::size_t p = begin; p < end; ++p) w[p] -= rate * (gradient[p] * scale + decay * w[p]);
      break;
    case NetworkOptimizer::Momentum: {
      const auto momentum = static_cast<float>(settings_.momentum);
      for (std::size_t p = begin; p < end; ++p) {
        v[p] = momentum * v[p] + gradient[p] * scale + decay * w[p];
        w[p] -= rate * v[p];
      }
      break;
    }
    case NetworkOptimizer::Adagrad:
      for (std::size_t p = begin; p < end; ++p) {
        const float g = gradient[p] * scale + decay * w[p];
        s[p] += g * g;
        w[p] -= rate * g / (std::sqrt(s[p]) + kLeastRoot);
      }
      break;
    case NetworkOptimizer::Rmsprop: {
      const auto keep = static_cast<float>(settings_.beta_2);
      for (std::size_t p = begin; p < end; ++p) {
        const float g = gradient[p] * scale + decay * w[p];
        s[p] = keep * s[p] + (1 - keep) * g * g;
        w[p] -= rate * g / (std::sqrt(s[p]) + kLeastRoot);
      }
      break;
    }
    case NetworkOptimizer::Adam: {
      const auto first = static_cast<float>(settings_.beta_1), second = static_cast<float>(settings_.beta_2);
      const auto t = static_cast<double>(steps_);
      const auto step = static_cast<float>(rate_ / (1 - std::pow(settings_.beta_1, t)));
      const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(settings_.beta_2, t)));
      for (std::size_t p = begin; p < end; ++p) {
        const float g = gradient[p] * scale + decay * w[p];
        v[p] = first * v[p] + (1 - first) * g;
        s[p] = second * s[p] + (1 - second) * g * g;
        w[p] -= step * v[p] / (std::sqrt(s[p]) * root + kLeastRoot);
      }
      break;
    }
  }
}

}  // namespace millrace::tasks
