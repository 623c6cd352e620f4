#pragma once
// Payload templates (Parameters, ResultSelector, Arguments, Output, Assign, …): in a JSONPath state members
// whose name ends in ".$" are replaced by what their path or intrinsic function gives, in a JSONata state
// every text
// "{% … %}" at any depth by what its expression gives. Everything else is copied as it stands. Source: Amazon
// States Language, "Payload Template", "JSONata".

#include <memory>
#include <vector>

#include "definitions/query.h"

namespace millrace::definitions {

class PayloadTemplate {
 public:
  // Compiles the template at `view`; what is wrong is added to `problems` (the template is then unusable).
  static PayloadTemplate compile(JsonView view, std::vector<Problem>& problems, const Site& site = {});
  // Failure: States.Runtime, States.IntrinsicFailure or States.QueryEvaluationError with its location.
  Outcome evaluate(const Scope& scope) const;
  void variables(VariableNames& names) const;  // adds those that it reads
  // The expression that the whole template is, if it is one.
  const Query* whole() const;

  struct Compiled;

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace millrace::definitions
