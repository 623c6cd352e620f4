#pragma once
// A network of dense layers over blocks of rows: scores, loss and gradients. Parameters are one vector: for
// each layer its weights (in, out) by rows, then its biases (out,). Pure functions of their arguments; any
// thread, each with its own NetworkBuffers.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/random.h"
#include "tasks/numeric/gemm.h"

namespace millrace::tasks {

enum class Activation : std::uint8_t { Relu, Tanh, Logistic };
enum class NetworkLoss : std::uint8_t { Squared, Logistic, Softmax };

struct NetworkShape {
  std::vector<std::uint32_t> widths;  // inputs, hidden layers, outputs
  Activation activation = Activation::Relu;
  NetworkLoss loss = NetworkLoss::Squared;

  std::size_t layers() const { return widths.size() - 1; }
  std::size_t inputs() const { return widths.front(); }
  std::size_t outputs() const { return widths.back(); }
  std::size_t weights_at(std::size_t layer) const;  // where its weights begin
  std::size_t biases_at(std::size_t layer) const { return weights_at(layer) + weights_of(layer); }
  std::size_t weights_of(std::size_t layer) const { return std::size_t{widths[layer]} * widths[layer + 1]; }
  std::size_t size() const { return weights_at(layers()); }
};

// Parameters as the products read them.
class PackedNetwork {
 public:
  explicit PackedNetwork(const NetworkShape& shape) : shape_(&shape) {
    forward_.resize(shape.layers()), backward_.resize(shape.layers());
  }
  // `train`: also what the gradients need. Borrows the parameters until the next call.
  void pack(const float* parameters, bool train);

  const NetworkShape& shape() const { return *shape_; }
  const PackedMatrix<float>& forward(std::size_t layer) const { return forward_[layer]; }
  const PackedMatrix<float>& backward(std::size_t layer) const { return backward_[layer]; }
  const float* biases(std::size_t layer) const { return biases_ + shape_->biases_at(layer); }

 private:
  const NetworkShape* shape_;
  const float* biases_ = nullptr;
  std::vector<PackedMatrix<float>> forward_, backward_;
};

struct NetworkBuffers {
  std::vector<std::vector<float>> values;  // of each layer: [0] the rows, the last the scores
  std::vector<float> error, below;
  std::vector<std::uint8_t> dropped;  // of all hidden layers, 1 where a unit is left out
  PackedMatrix<float> packed;
};

struct Dropout {
  float rate = 0;
  Random random;
};

// Scores (rows, outputs) of the rows in buffers.values[0] into buffers.values.back().
void run_forward(const PackedNetwork& network, std::size_t rows, NetworkBuffers& buffers,
                 Dropout* dropout = nullptr);
// What went into a layer's activation: after run_forward without dropout, (rows, width).
std::vector<float> activation_inputs(const PackedNetwork& network, std::size_t layer, std::size_t rows,
                                     const NetworkBuffers& buffers);
// Scores to what is answered: chances of classes, the chance of class 1; of Squared nothing changes.
void to_answers(NetworkLoss loss, float* scores, std::size_t rows, std::size_t outputs);
// After run_forward: the weighted sum of the rows' losses; `gradient` (shape.size(),) gets the sum of
// theirs (overwritten). y (rows,) targets or classes, weights (rows,) or null.
double add_gradient(const PackedNetwork& network, std::size_t rows, const float* y, const float* weights,
                    NetworkBuffers& buffers, float* gradient, const Dropout* dropout = nullptr);
// The loss of one row's answers; of Squared half the squared error.
double loss_of_answers(NetworkLoss loss, const float* answers, float y);
// The weighted sum of losses alone; scores become answers.
double sum_losses(const PackedNetwork& network, std::size_t rows, const float* y, const float* weights,
                  NetworkBuffers& buffers);

}  // namespace millrace::tasks
