#pragma once
// Choice rules: the comparisons of JSONPath Choice states, and And, Or, Not; the Condition of JSONata ones.
// Compiled once.
// Source: Amazon States Language, "Choice State".

#include <memory>
#include <string_view>
#include <vector>

#include "definitions/query.h"

namespace millrace::definitions {

class ChoiceRule {
 public:
  // Compiles the rule at `view` (its `Next`, `Comment`, `Assign` are the caller's); `nested` rules must not
  // have Next.
  static ChoiceRule compile(JsonView view, std::vector<Problem>& problems);
  // The rule of a JSONata state: its Condition, true, false or an expression.
  static ChoiceRule compile_condition(JsonView view, const Site& site, std::vector<Problem>& problems);
  // Whether the rule holds. Failure: States.Runtime, e.g. when Variable names nothing (but for IsPresent).
  tl::expected<bool, Failure> evaluate(const Scope& scope) const;
  void variables(VariableNames& names) const;  // adds those that it reads
  bool always() const;                         // a Condition that is the constant true

  struct Compiled;

 private:
  std::shared_ptr<const Compiled> compiled_;
};

// The comparison operators, for diagnostics ("did you mean …").
const std::vector<std::string_view>& choice_operators();

}  // namespace millrace::definitions
