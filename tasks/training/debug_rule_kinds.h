#pragma once
// The table of Debugger's rules behind debug_rules.h; for debug_rules.cpp and debug_tensor_rules.cpp only.

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "tasks/training/debug_rules.h"

namespace millrace::tasks {

namespace trees {
struct Ensemble;
}

// Of a parameter that has no value unless it is given.
inline constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();

struct DebugRuleParameter {
  std::string_view name;
  double value;      // unless it is given
  double least = 0;  // that may be given
};

// What a rule looks at; each of them says what is wrong, or nothing.
struct DebugRuleKind {
  std::string_view name;
  std::vector<DebugRuleParameter> parameters;
  std::string (*on_metric)(DebugRule& rule, const MetricPoint& point) = nullptr;
  std::string (*on_data)(const DebugRule& rule, const Dataset& train, std::string_view task) = nullptr;
  std::string (*on_trees)(const DebugRule& rule, const trees::Ensemble& ensemble) = nullptr;
  std::string (*on_silence)(const DebugRule& rule, Millis since) = nullptr;
  // Tensors of one step, those of the rule alone.
  std::string (*on_tensors)(DebugRule& rule, std::int64_t step,
                            std::span<const Tensor* const> tensors) = nullptr;
  // "gradients|weights": collections that on_tensors looks at unless the configuration names others; empty:
  // the configuration has to name some.
  std::string_view collections = {};
  bool compares_runs = false;  // with the tensors of another job
  bool report = false;         // finds nothing, writes a report of the model
};

std::string rule_figure(double value);  // six significant digits
std::span<const DebugRuleKind> tensor_rule_kinds();
// ExplodingTensor looks at metrics, too.
std::string exploding_tensor(DebugRule& rule, std::int64_t step, std::span<const Tensor* const> tensors);

}  // namespace millrace::tasks
