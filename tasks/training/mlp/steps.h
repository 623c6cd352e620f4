#pragma once
// One step down a gradient, by five rules. g is the mean gradient plus decay times the weight (biases have no
// decay):
//   Sgd       w -= rate g
//   Momentum  v = momentum v + g; w -= rate v
//   Adagrad   s += g^2; w -= rate g / (sqrt(s) + 1e-8)
//   Rmsprop   s = beta_2 s + (1 - beta_2) g^2; w -= rate g / (sqrt(s) + 1e-8)
//   Adam      m and s as means of g and g^2, both corrected for their start; w -= rate m / (sqrt(s) + 1e-8)
// One thread at a time for each piece.

#include <cstdint>
#include <vector>

#include "tasks/training/fit_state.h"
#include "tasks/training/mlp/network.h"

namespace millrace::tasks {

enum class NetworkOptimizer : std::uint8_t { Sgd, Momentum, Adagrad, Rmsprop, Adam };

struct NetworkStepSettings {
  NetworkOptimizer optimizer = NetworkOptimizer::Adam;
  double momentum = 0.9, beta_1 = 0.9, beta_2 = 0.999, decay = 0;
};

class NetworkStepper {
 public:
  NetworkStepper(NetworkStepSettings settings, const NetworkShape& shape);
  void set_rate(double rate) { rate_ = rate; }
  void fields(FitState& state) { state.field(mean_), state.field(square_), state.field(steps_); }
  // `scale` makes the mean gradient of the sum.
  void step(std::vector<float>& parameters, const std::vector<float>& gradient, float scale);
  // The same in pieces: the step begins, then all parameters are moved, [begin, end) at a time, by any
  // thread.
  void begin_step() { ++steps_; }
  void step_piece(float* parameters, const float* gradient, float scale, std::size_t begin, std::size_t end);

 private:
  void step_range(float* w, const float* gradient, std::size_t begin, std::size_t end, float scale,
                  float decay);

  const NetworkStepSettings settings_;
  const NetworkShape& shape_;
  std::vector<float> mean_, square_;  // v or m; s
  double rate_ = 0;
  std::int64_t steps_ = 0;
};

}  // namespace millrace::tasks
