#include "tasks/training/mlp/network.h"

#include <algorithm>
#include <cmath>

#include "tasks/trees/math.h"

namespace millrace::tasks {

namespace {

using trees::exp_bits;
using trees::log_bits;
using trees::sigmoid_bits;

constexpr float kLeastChance = 1e-30f;  // before a logarithm is taken

void activate(Activation kind, float* values, const float* biases, std::size_t rows, std::size_t width) {
  for (std::size_t i = 0; i < rows; ++i, values += width) {
    switch (kind) {
      case Activation::Relu:
        for (std::size_t j = 0; j < width; ++j) {
          const float value = values[j] + biases[j];
          values[j] = value > 0 ? value : 0;
        }
        break;
      case Activation::Tanh:
        for (std::size_t j = 0; j < width; ++j) values[j] = 2 * sigmoid_bits(2 * (values[j] + biases[j])) - 1;
        break;
      case Activation::Logistic:
        for (std::size_t j = 0; j < width; ++j) values[j] = sigmoid_bits(values[j] + biases[j]);
        break;
    }
  }
}

// The error at a layer's outputs becomes the one before its activation.
void through_activation(Activation kind, const float* values, float* error, std::size_t count) {
  switch (kind) {
    case Activation::Relu:
      for (std::size_t i = 0; i < count; ++i) error[i] = values[i] > 0 ? error[i] : 0;
      break;
    case Activation::Tanh:
      for (std::size_t i = 0; i < count; ++i) error[i] *= 1 - values[i] * values[i];
      break;
    case Activation::Logistic:
      for (std::size_t i = 0; i < count; ++i) error[i] *= values[i] * (1 - values[i]);
      break;
  }
}

void drop_units(Dropout& dropout, float* values, std::uint8_t* dropped, std::size_t count) {
  const float scale = 1 / (1 - dropout.rate);
  const auto limit = static_cast<std::uint32_t>(static_cast<double>(dropout.rate) * 4294967296.0);
  for (std::size_t i = 0; i < count; i += 2) {
    const std::uint64_t bits = dropout.random.next();
    dropped[i] = static_cast<std::uint32_t>(bits) < limit;
    if (i + 1 < count) dropped[i + 1] = static_cast<std::uint32_t>(bits >> 32) < limit;
  }
  for (std::size_t i = 0; i < count; ++i) values[i] = dropped[i] ? 0 : values[i] * scale;
}

void softmax_row(float* scores, std::size_t k) {
  float most = scores[0];
  for (std::size_t c = 1; c < k; ++c) most = std::max(most, scores[c]);
  for (std::size_t c = 0; c < k; ++c) scores[c] = exp_bits(scores[c] - most);
  float sum = 0;
  for (std::size_t c = 0; c < k; ++c) sum += scores[c];
  for (std::size_t c = 0; c < k; ++c) scores[c] /= sum;
}

std::size_t hidden_units_before(const NetworkShape& shape, std::size_t layer, std::size_t rows) {
  std::size_t at = 0;
  for (std::size_t l = 1; l < layer; ++l) at += rows * shape.widths[l];
  return at;
}

}  // namespace

double loss_of_answers(NetworkLoss kind, const float* answers, float y) {
  switch (kind) {
    case NetworkLoss::Squared: {
      const double difference = static_cast<double>(answers[0]) - static_cast<double>(y);
      return difference * difference / 2;
    }
    case NetworkLoss::Logistic:
      return -static_cast<double>(log_bits(std::max(kLeastChance, y > 0.5f ? answers[0] : 1 - answers[0])));
    case NetworkLoss::Softmax:
      return -static_cast<double>(log_bits(std::max(kLeastChance, answers[static_cast<std::size_t>(y)])));
  }
  return 0;
}

std::size_t NetworkShape::weights_at(std::size_t layer) const {
  std::size_t at = 0;
  for (std::size_t l = 0; l < layer; ++l) at += weights_of(l) + widths[l + 1];
  return at;
}

void PackedNetwork::pack(const float* parameters, bool train) {
  biases_ = parameters;
  for (std::size_t l = 0; l < shape_->layers(); ++l) {
    const std::size_t in = shape_->widths[l], out = shape_->widths[l + 1];
    const float* weights = parameters + shape_->weights_at(l);
    forward_[l].pack(row_major(weights, out), in, out);
    if (train && l > 0) backward_[l].pack(transposed(weights, out), out, in);
  }
}

void run_forward(const PackedNetwork& network, std::size_t rows, NetworkBuffers& buffers, Dropout* dropout) {
  const NetworkShape& shape = network.shape();
  buffers.values.resize(shape.layers() + 1);
  if (dropout) buffers.dropped.resize(hidden_units_before(shape, shape.layers(), rows));
  for (std::size_t l = 0; l < shape.layers(); ++l) {
    const std::size_t in = shape.widths[l], out = shape.widths[l + 1];
    std::vector<float>& values = buffers.values[l + 1];
    values.resize(rows * out);
    multiply(row_major(buffers.values[l].data(), in), rows, network.forward(l), values.data(), out);
    if (l + 1 == shape.layers()) {
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < out; ++j) values[i * out + j] += network.biases(l)[j];
      }
      return;
    }
    activate(shape.activation, values.data(), network.biases(l), rows, out);
    if (dropout)
      drop_units(*dropout, values.data(), buffers.dropped.data() + hidden_units_before(shape, l + 1, rows),
                 rows * out);
  }
}

std::vector<float> activation_inputs(const PackedNetwork& network, std::size_t layer, std::size_t rows,
                                     const NetworkBuffers& buffers) {
  const std::size_t in = network.shape().widths[layer], out = network.shape().widths[layer + 1];
  std::vector<float> inputs(rows * out);
  multiply(row_major(buffers.values[layer].data(), in), rows, network.forward(layer), inputs.data(), out);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < out; ++j) inputs[i * out + j] += network.biases(layer)[j];
  }
  return inputs;
}

void to_answers(NetworkLoss loss, float* scores, std::size_t rows, std::size_t outputs) {
  if (loss == NetworkLoss::Softmax) {
    for (std::size_t i = 0; i < rows; ++i) softmax_row(scores + i * outputs, outputs);
  } else if (loss == NetworkLoss::Logistic) {
    for (std::size_t i = 0; i < rows * outputs; ++i) scores[i] = sigmoid_bits(scores[i]);
  }
}

double sum_losses(const PackedNetwork& network, std::size_t rows, const float* y, const float* weights,
                  NetworkBuffers& buffers) {
  const NetworkShape& shape = network.shape();
  float* answers = buffers.values.back().data();
  to_answers(shape.loss, answers, rows, shape.outputs());
  double sum = 0;
  for (std::size_t i = 0; i < rows; ++i)
    sum += (weights ? static_cast<double>(weights[i]) : 1) *
           loss_of_answers(shape.loss, answers + i * shape.outputs(), y[i]);
  return sum;
}

double add_gradient(const PackedNetwork& network, std::size_t rows, const float* y, const float* weights,
                    NetworkBuffers& buffers, float* gradient, const Dropout* dropout) {
  const NetworkShape& shape = network.shape();
  const double loss = sum_losses(network, rows, y, weights, buffers);
  // For each of the three losses the derivative by a score is answer - target.
  std::vector<float>&error = buffers.error, &below = buffers.below;
  error.assign(buffers.values.back().begin(), buffers.values.back().end());
  const std::size_t outputs = shape.outputs();
  for (std::size_t i = 0; i < rows; ++i) {
    error[i * outputs + (shape.loss == NetworkLoss::Softmax ? static_cast<std::size_t>(y[i]) : 0)] -=
        shape.loss == NetworkLoss::Softmax ? 1 : y[i];
    for (std::size_t j = 0; weights && j < outputs; ++j) error[i * outputs + j] *= weights[i];
  }
  for (std::size_t l = shape.layers(); l-- > 0;) {
    const std::size_t in = shape.widths[l], out = shape.widths[l + 1];
    const std::vector<float>& inputs = buffers.values[l];
    buffers.packed.pack(row_major(error.data(), out), rows, out);
    multiply(transposed(inputs.data(), in), in, buffers.packed, gradient + shape.weights_at(l), out);
    float* biases = gradient + shape.biases_at(l);
    std::fill_n(biases, out, 0.0f);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < out; ++j) biases[j] += error[i * out + j];
    }
    if (l == 0) break;
    below.resize(rows * in);
    multiply(row_major(error.data(), out), rows, network.backward(l), below.data(), in);
    if (dropout) {
      const std::uint8_t* dropped = buffers.dropped.data() + hidden_units_before(shape, l, rows);
      const float keep = 1 - dropout->rate, scale = 1 / keep;
      // The values of kept units stand scaled; the activation's derivative needs them as they were.
      std::vector<float>& values = buffers.values[l];
      for (std::size_t i = 0; i < rows * in; ++i) {
        below[i] = dropped[i] ? 0 : below[i] * scale;
        values[i] *= keep;
      }
    }
    through_activation(shape.activation, buffers.values[l].data(), below.data(), rows * in);
    if (dropout) {
      for (float& value : buffers.values[l]) value /= 1 - dropout->rate;
    }
    std::swap(error, below);
  }
  return loss;
}

}  // namespace millrace::tasks
