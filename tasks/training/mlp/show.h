#pragma once
// What mlp shows of itself (tensors.h): for each layer "layer0_weight" and "layer0_bias", their mean
// gradients "gradient/layer0_weight", of hidden layers what goes into and comes out of the activation,
// "layer0_relu_input" (rows, units), and "loss". Layers count from 0. Activations and loss are those of a
// sample of the training rows, always the same one. Pure; one thread.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/training/mlp/network.h"
#include "tasks/training/tensors.h"

namespace millrace::tasks {

inline constexpr std::size_t kShownRows = 256;  // of the sample

// Normalised rows in buffers.values[0], with their targets and weights (or null).
struct ShownSample {
  NetworkBuffers buffers;
  std::vector<float> y, weights;
};
// `gradient`: the mean one, (shape.size(),); `network` is packed with the parameters.
void show_network(const TensorTap& tap, std::int64_t step, const std::vector<float>& parameters,
                  const std::vector<float>& gradient, const PackedNetwork& network, ShownSample& sample);

}  // namespace millrace::tasks
