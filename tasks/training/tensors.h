#pragma once
// Tensors that a fit shows while it runs, for Debugger's rules and DebugHookConfig: weights, gradients, what
// goes into and comes out of activations, importances. A fit asks TensorTap::wants before it computes
// anything for it, and what is shown never flows back: the model's bytes are the same with and without.
// A step is what Debugger calls one: a mini-batch of mlp, a round of xgboost.
//
// Collections have smdebug's names: weights, biases, gradients, losses, feature_importance, predictions,
// labels; of activations relu_input, relu_output, tanh_input, tanh_output, sigmoid_input, sigmoid_output.
// Pure; any thread.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

struct Tensor {
  std::string_view collection;    // "gradients"
  std::string name;               // "gradient/layer0_weight"
  std::span<const float> values;  // (rows, columns) by rows; borrowed while it is shown
  std::size_t columns = 1;        // of activations: units of the layer
};

struct TensorTap {
  // Whether anybody looks at this step; `begins_round`: the first one of an epoch.
  std::function<bool(std::int64_t step, bool begins_round)> wants;
  std::function<void(std::int64_t step, std::span<const Tensor> tensors)> show;
};

// A tensor in a few numbers. Of values that are not finite only their count.
struct TensorSummary {
  std::size_t count = 0, zeros = 0, nans = 0, infinities = 0;
  double least = 0, most = 0, mean = 0, deviation = 0, mean_absolute = 0;
  std::array<double, 5> percentiles{};  // 5, 25, 50, 75, 95: the nearest values; of at most kPercentileValues
};
inline constexpr std::size_t kPercentileValues = 100'000;
TensorSummary summarise(std::span<const float> values);
std::string tensor_sha256(const Tensor& tensor);  // of the bytes of its values
// {"name", "shape", "count", "zeros", "nan", "inf", "min", "max", "mean", "std", "abs_mean", "percentiles",
// "sha256"}.
Json to_json(const Tensor& tensor);

// Patterns of names, in Perl's syntax, which is Python's; they match at the beginning of a name, as re.match.
class NamePattern {
 public:
  // InvalidArgument says what is wrong with it and where.
  static Result<NamePattern> compile(std::string_view pattern);
  bool matches(std::string_view name) const;

 private:
  std::shared_ptr<const void> code_;
};

}  // namespace millrace::tasks
