#pragma once
// Payload templates (Parameters, ResultSelector, ItemSelector): members whose name ends in ".$" are replaced
// by what their path or intrinsic function gives. Everything else is copied as it stands. Source: Amazon
// States Language, "Payload Template".

#include <memory>
#include <vector>

#include "definitions/expression.h"

namespace millrace::definitions {

class PayloadTemplate {
 public:
  // Compiles the template at `view`; what is wrong is added to `problems` (the template is then unusable).
  static PayloadTemplate compile(JsonView view, std::vector<Problem>& problems);
  Outcome evaluate(const Scope& scope) const;

  struct Compiled;

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace millrace::definitions
