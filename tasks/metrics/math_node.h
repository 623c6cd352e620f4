#pragma once
// The tree of a metric math expression, between its parser and its evaluation. Pure.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/metrics/metric_math.h"

namespace millrace::tasks {

struct MathFunction {
  std::string_view name;
  std::size_t arguments_min, arguments_max;
  Result<MathValue> (*run)(const std::vector<MathValue>& arguments, const MathEnvironment& environment);
};
// Null: there is none of that name.
const MathFunction* find_math_function(std::string_view name);
std::string math_function_names();  // for messages

enum class MathOp {
  Add,
  Subtract,
  Multiply,
  Divide,
  Power,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Equal,
  NotEqual,
  And,
  Or
};
Result<MathValue> apply(MathOp op, const MathValue& left, const MathValue& right);

struct MathNode {
  enum class Kind { Number, Id, Text, Array, Negate, Not, Binary, Call } kind = Kind::Number;
  double number = 0;
  std::string text;  // of Id: the id; of Text: a word or a string, an argument of METRICS and FILL
  MathOp op = MathOp::Add;
  const MathFunction* function = nullptr;
  std::vector<std::shared_ptr<const MathNode>> inner;
};
using MathNodePtr = std::shared_ptr<const MathNode>;

// FILL and METRICS look at the words they are given, not at values.
Result<MathValue> evaluate_node(const MathNode& node, const MathEnvironment& environment);

}  // namespace millrace::tasks
