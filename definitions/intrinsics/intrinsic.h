#pragma once
// Intrinsic functions: States.Format and the other seventeen. A call is parsed and checked once, evaluated
// many times. Source: Amazon States Language, "Intrinsic Functions"; the Step Functions developer guide.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "definitions/expression.h"

namespace millrace::definitions {

class IntrinsicCall {
 public:
  // `source`: "States.Format('{}', $.name)". InvalidArgument names the column and what was expected.
  static Result<IntrinsicCall> parse(std::string_view source, const Limits& limits = {});
  const std::string& source() const { return source_; }
  // Failure: States.IntrinsicFailure, or States.Runtime for a path without a result.
  Outcome evaluate(const Scope& scope) const;
  void variables(VariableNames& names) const;  // adds those that it reads

  struct Compiled;

 private:
  std::string source_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace millrace::definitions
