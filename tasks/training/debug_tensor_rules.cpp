// Debugger's rules about tensors (tensors.h). "Before" is the last step that was looked at.
// Source: SageMaker developer guide, "List of Debugger built-in rules".

#include <algorithm>
#include <cmath>

#include "tasks/training/debug_rule_kinds.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kRememberedValues = 1'000'000;  // of a tensor; of a larger one every second, third, …

std::vector<float> remembered(std::span<const float> values) {
  const std::size_t stride = values.size() / kRememberedValues + 1;
  std::vector<float> out;
  out.reserve(values.size() / stride + 1);
  for (std::size_t i = 0; i < values.size(); i += stride) out.push_back(values[i]);
  return out;
}

// Of finite values; 0 where there are none.
template <class F>
double mean_over(std::span<const float> values, F&& f) {
  double sum = 0;
  std::size_t count = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    sum += f(static_cast<double>(value)), ++count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

double tensor_variance_of(std::span<const float> values) {
  const double mean = mean_over(values, [](double x) { return x; });
  return mean_over(values, [&](double x) { return (x - mean) * (x - mean); });
}

// The share of columns, in percent, of which fewer than `least` percent of the rows are active.
template <class Active>
double idle_columns(const Tensor& tensor, double least, Active&& active) {
  const std::size_t columns = std::max<std::size_t>(1, tensor.columns), rows = tensor.values.size() / columns;
  if (rows == 0) return 0;
  std::vector<std::size_t> counts(columns);
  for (std::size_t i = 0; i < rows * columns; ++i) counts[i % columns] += active(tensor.values[i]);
  const auto idle = std::ranges::count_if(counts, [&](std::size_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(rows) < least;
  });
  return 100 * static_cast<double>(idle) / static_cast<double>(columns);
}

std::string vanishing_gradient(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  for (const Tensor* tensor : tensors) {
    if (tensor->name.ends_with("_bias") || tensor->values.empty()) continue;
    if (!std::ranges::all_of(tensor->values, [](float v) { return std::isfinite(v); })) continue;
    const double mean = mean_over(tensor->values, [](double x) { return std::abs(x); });
    if (mean < rule.parameters["threshold"])
      return "the mean of the absolute values of " + tensor->name + " is " + rule_figure(mean);
  }
  return {};
}

std::string dead_relu(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  for (const Tensor* tensor : tensors) {
    const double dead =
        idle_columns(*tensor, rule.parameters["threshold_inactivity"], [](float value) { return value > 0; });
    if (dead > rule.parameters["threshold_layer"])
      return rule_figure(dead) + " % of the units of " + tensor->name + " are active for less than " +
             rule_figure(rule.parameters["threshold_inactivity"]) + " % of the rows";
  }
  return {};
}

std::string saturated_activation(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  for (const Tensor* tensor : tensors) {
    const std::string kind = tensor->collection == "tanh_input" ? "tanh" : "sigmoid";
    const double low = rule.parameters["threshold_" + kind + "_min"],
                 high = rule.parameters["threshold_" + kind + "_max"];
    const double saturated = idle_columns(*tensor, rule.parameters["threshold_inactivity"], [&](float value) {
      return static_cast<double>(value) > low && static_cast<double>(value) < high;
    });
    if (saturated > rule.parameters["threshold_layer"])
      return rule_figure(saturated) + " % of the units of " + tensor->name + " are between " +
             rule_figure(low) + " and " + rule_figure(high) + " for less than " +
             rule_figure(rule.parameters["threshold_inactivity"]) + " % of the rows";
  }
  return {};
}

// The variances of what goes into the layers far apart, gradients all alike, or a loss that does not fall, in
// the first steps.
std::string poor_weight_initialization(DebugRule& rule, std::int64_t step,
                                       std::span<const Tensor* const> tensors) {
  if (static_cast<double>(step) >= rule.parameters["steps"]) return {};
  double least = 0, most = 0;
  std::string quietest, loudest;
  for (const Tensor* tensor : tensors) {
    if (tensor->collection == "losses") {
      const auto loss = static_cast<double>(tensor->values.front());
      const auto [best, first] = rule.losses.emplace("loss", loss);
      rule.streak = first || loss < best->second ? 0 : rule.streak + 1;
      best->second = std::min(best->second, loss);
      if (static_cast<double>(rule.streak) >= rule.parameters["patience"])
        return "the loss has not fallen below " + rule_figure(best->second) + " for " +
               std::to_string(rule.streak) + " steps";
    } else if (tensor->collection == "gradients") {
      if (tensor->name.ends_with("_bias")) continue;
      const TensorSummary summary = summarise(tensor->values);
      const double range = summary.percentiles.back() - summary.percentiles.front();
      if (summary.count > 1 && summary.nans + summary.infinities == 0 &&
          range < rule.parameters["distribution_range"])
        return "from the 5th to the 95th percentile of " + tensor->name + " it is " + rule_figure(range);
    } else {
      const double variance = tensor_variance_of(tensor->values);
      if (quietest.empty() || variance < least) least = variance, quietest = tensor->name;
      if (loudest.empty() || variance > most) most = variance, loudest = tensor->name;
    }
  }
  if (quietest == loudest || most <= least * rule.parameters["threshold"]) return {};
  return "the variance of " + loudest + " is " + rule_figure(most) + ", that of " + quietest + " " +
         rule_figure(least);
}

std::string weight_update_ratio(DebugRule& rule, std::int64_t step, std::span<const Tensor* const> tensors) {
  const bool enough = !(static_cast<double>(step - rule.remembered_step) < rule.parameters["num_steps"]);
  if (!rule.remembered.empty() && !enough) return {};
  std::string found;
  for (const Tensor* tensor : tensors) {
    std::vector<float> now = remembered(tensor->values);
    const auto before = rule.remembered.find(tensor->name);
    if (before != rule.remembered.end() && before->second.size() == now.size() && found.empty()) {
      double change = 0, size = 0;
      for (std::size_t i = 0; i < now.size(); ++i) {
        change += std::abs(static_cast<double>(now[i]) - static_cast<double>(before->second[i]));
        size += std::abs(static_cast<double>(before->second[i]));
      }
      const auto n = static_cast<double>(std::max<std::size_t>(1, now.size()));
      const double ratio = change / n / (size / n + rule.parameters["epsilon"]);
      if (ratio > rule.parameters["large_threshold"] || ratio < rule.parameters["small_threshold"])
        found = tensor->name + " changed by " + rule_figure(ratio) + " of its size from step " +
                std::to_string(rule.remembered_step) + " to step " + std::to_string(step);
    }
    rule.remembered[tensor->name] = std::move(now);
  }
  rule.remembered_step = step;
  return found;
}

std::string all_zero(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  for (const Tensor* tensor : tensors) {
    if (tensor->values.empty()) continue;
    const auto zeros = static_cast<double>(std::ranges::count(tensor->values, 0.0f));
    const double share = 100 * zeros / static_cast<double>(tensor->values.size());
    if (share >= rule.parameters["threshold"]) return rule_figure(share) + " % of " + tensor->name + " are 0";
  }
  return {};
}

std::string tensor_variance(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  for (const Tensor* tensor : tensors) {
    const double variance = tensor_variance_of(tensor->values);
    if (variance > rule.parameters["max_threshold"] || variance < rule.parameters["min_threshold"])
      return "the variance of " + tensor->name + " is " + rule_figure(variance);
  }
  return {};
}

// As numpy.allclose.
bool all_close(std::span<const float> a, std::span<const float> b, double relative, double absolute,
               bool equal_nan) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (x == y || (equal_nan && std::isnan(x) && std::isnan(y))) continue;
    if (!(std::abs(x - y) <= absolute + relative * std::abs(y)) || !std::isfinite(x) || !std::isfinite(y))
      return false;
  }
  return true;
}

std::string unchanged_tensor(DebugRule& rule, std::int64_t step, std::span<const Tensor* const> tensors) {
  std::string found;
  for (const Tensor* tensor : tensors) {
    std::vector<float> now = remembered(tensor->values);
    const auto before = rule.remembered.find(tensor->name);
    double& alike = rule.losses[tensor->name];  // steps in a row
    const bool same = before != rule.remembered.end() &&
                      all_close(now, before->second, rule.parameters["rtol"], rule.parameters["atol"],
                                rule.parameters["equal_nan"] != 0);
    alike = same ? alike + 1 : 1;
    if (found.empty() && alike >= std::max(2.0, rule.parameters["num_steps"]))
      found = tensor->name + " is the same in " + rule_figure(alike) + " steps, up to step " +
              std::to_string(step);
    rule.remembered[tensor->name] = std::move(now);
  }
  return found;
}

// Tensors that are the same in two runs, bit for bit: the same seed, or weights that nothing changes.
std::string similar_across_runs(DebugRule& rule, std::int64_t step, std::span<const Tensor* const> tensors) {
  if (!rule.other_sha256) return {};
  for (const Tensor* tensor : tensors) {
    const std::string other = rule.other_sha256(*tensor, step);
    if (!other.empty() && other == tensor_sha256(*tensor))
      return tensor->name + " in step " + std::to_string(step) + " is that of " + rule.other_trial;
  }
  return {};
}

// The class with the largest share, or the label above one half.
std::size_t predicted_class(const Tensor& predictions, std::size_t row) {
  const std::size_t k = predictions.columns;
  const float* values = predictions.values.data() + row * k;
  if (k == 1) return values[0] > 0.5f;
  return static_cast<std::size_t>(std::max_element(values, values + k) - values);
}

std::string confusion(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  const auto find = [&](std::string_view collection) {
    const auto found = std::ranges::find(tensors, collection, [](const Tensor* t) { return t->collection; });
    return found == tensors.end() ? nullptr : *found;
  };
  const Tensor *labels = find("labels"), *predictions = find("predictions");
  if (!labels || !predictions || predictions->columns == 0) return {};
  const double given = rule.parameters["category_no"];
  const std::size_t k = std::isnan(given) ? std::max<std::size_t>(2, predictions->columns)
                                          : static_cast<std::size_t>(std::min(given, 1000.0));
  std::vector<double> counts(k * k), of_class(k);
  for (std::size_t i = 0; i < labels->values.size(); ++i) {
    const float label = labels->values[i];
    const std::size_t predicted = predicted_class(*predictions, i);
    if (!(label >= 0) || !(label < static_cast<float>(k)) || predicted >= k) continue;
    const auto truth = static_cast<std::size_t>(label);
    ++counts[truth * k + predicted], ++of_class[truth];
  }
  for (std::size_t truth = 0; truth < k; ++truth) {
    for (std::size_t other = 0; of_class[truth] > 0 && other < k; ++other) {
      const double share = counts[truth * k + other] / of_class[truth];
      const std::string rows = "of the rows of class " + std::to_string(truth) + " ";
      if (other == truth && share < rule.parameters["min_diag"])
        return rows + rule_figure(100 * share) + " % are predicted as such";
      if (other != truth && share > rule.parameters["max_off_diag"])
        return rows + rule_figure(100 * share) + " % are predicted as class " + std::to_string(other);
    }
  }
  return {};
}

}  // namespace

std::string exploding_tensor(DebugRule& rule, std::int64_t, std::span<const Tensor* const> tensors) {
  for (const Tensor* tensor : tensors) {
    std::size_t nans = 0, infinities = 0;
    for (const float value : tensor->values) nans += std::isnan(value), infinities += std::isinf(value);
    if (nans > 0) return tensor->name + " has " + std::to_string(nans) + " values that are no numbers (NaN)";
    if (infinities > 0 && rule.parameters["only_nan"] == 0)
      return tensor->name + " has " + std::to_string(infinities) + " infinite values";
  }
  return {};
}

std::span<const DebugRuleKind> tensor_rule_kinds() {
  constexpr double kAny = -std::numeric_limits<double>::infinity();
  static const std::vector<DebugRuleKind> kKinds = {
      {.name = "VanishingGradient",
       .parameters = {{"threshold", 1e-7}},
       .on_tensors = vanishing_gradient,
       .collections = "gradients"},
      {.name = "DeadRelu",
       .parameters = {{"threshold_inactivity", 1}, {"threshold_layer", 50}},
       .on_tensors = dead_relu,
       .collections = "relu_output"},
      {.name = "SaturatedActivation",
       .parameters = {{"threshold_tanh_min", -9.4999, kAny},
                      {"threshold_tanh_max", 9.4999, kAny},
                      {"threshold_sigmoid_min", -23, kAny},
                      {"threshold_sigmoid_max", 16.99999, kAny},
                      {"threshold_inactivity", 1},
                      {"threshold_layer", 50}},
       .on_tensors = saturated_activation,
       .collections = "tanh_input|sigmoid_input"},
      {.name = "PoorWeightInitialization",
       .parameters = {{"threshold", 10}, {"distribution_range", 0.001}, {"patience", 5}, {"steps", 10}},
       .on_tensors = poor_weight_initialization,
       .collections = "relu_input|tanh_input|sigmoid_input|gradients|losses"},
      {.name = "WeightUpdateRatio",
       .parameters =
           {{"num_steps", kNotGiven}, {"large_threshold", 10}, {"small_threshold", 1e-8}, {"epsilon", 1e-9}},
       .on_tensors = weight_update_ratio,
       .collections = "weights"},
      {.name = "AllZero", .parameters = {{"threshold", 100}}, .on_tensors = all_zero},
      {.name = "TensorVariance",
       .parameters = {{"max_threshold", kNotGiven}, {"min_threshold", kNotGiven}},
       .on_tensors = tensor_variance},
      {.name = "UnchangedTensor",
       .parameters = {{"num_steps", 3}, {"rtol", 1e-5}, {"atol", 1e-8}, {"equal_nan", 0}},
       .on_tensors = unchanged_tensor},
      {.name = "SimilarAcrossRuns",
       .parameters = {},
       .on_tensors = similar_across_runs,
       .compares_runs = true},
      {.name = "Confusion",
       .parameters = {{"category_no", kNotGiven}, {"min_diag", 0.9}, {"max_off_diag", 0.1}},
       .on_tensors = confusion,
       .collections = "labels|predictions"},
  };
  return kKinds;
}

}  // namespace millrace::tasks
