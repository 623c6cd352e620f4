#include "tasks/training/mlp/show.h"

#include <numeric>

namespace millrace::tasks {
namespace {

struct ActivationNames {
  std::string_view input, output;
};

ActivationNames names_of(Activation kind) {
  switch (kind) {
    case Activation::Relu:
      return {"relu_input", "relu_output"};
    case Activation::Tanh:
      return {"tanh_input", "tanh_output"};
    case Activation::Logistic:
      break;
  }
  return {"sigmoid_input", "sigmoid_output"};
}

}  // namespace

void show_network(const TensorTap& tap, std::int64_t step, const std::vector<float>& parameters,
                  const std::vector<float>& gradient, const PackedNetwork& network, ShownSample& sample) {
  const NetworkShape& shape = network.shape();
  const std::size_t rows = sample.y.size();
  run_forward(network, rows, sample.buffers);
  std::vector<Tensor> tensors;
  std::vector<std::vector<float>> inputs;
  inputs.reserve(shape.layers());
  const ActivationNames names = names_of(shape.activation);
  for (std::size_t l = 0; l < shape.layers(); ++l) {
    const std::string layer = "layer" + std::to_string(l) + "_";
    const std::size_t out = shape.widths[l + 1];
    const auto add = [&](const std::vector<float>& all, std::string_view weights, std::string_view biases,
                         const std::string& prefix) {
      const std::span<const float> values(all);
      tensors.push_back({weights, prefix + layer + "weight",
                         values.subspan(shape.weights_at(l), shape.weights_of(l)), out});
      tensors.push_back({biases, prefix + layer + "bias", values.subspan(shape.biases_at(l), out), out});
    };
    add(parameters, "weights", "biases", "");
    add(gradient, "gradients", "gradients", "gradient/");
    if (l + 1 == shape.layers()) break;
    inputs.push_back(activation_inputs(network, l, rows, sample.buffers));
    tensors.push_back({names.input, layer + std::string(names.input), inputs.back(), out});
    tensors.push_back({names.output, layer + std::string(names.output), sample.buffers.values[l + 1], out});
  }
  const float* weights = sample.weights.empty() ? nullptr : sample.weights.data();
  const double sum = sum_losses(network, rows, sample.y.data(), weights, sample.buffers);
  const double all = weights ? std::accumulate(sample.weights.begin(), sample.weights.end(), 0.0)
                             : static_cast<double>(rows);
  const auto loss = static_cast<float>(all > 0 ? sum / all : 0);
  tensors.push_back({"losses", "loss", {&loss, 1}});
  tap.show(step, tensors);
}

}  // namespace millrace::tasks
