#pragma once
// Query: a JSONata expression as it stands in a field of a state, "{% … %}": compiled once, with what it may
// see checked, and evaluated with the failures that the language prescribes. Source: Step Functions developer
// guide, "Transforming data with JSONata in Step Functions".

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "definitions/expression.h"

namespace millrace::definitions {

// Where in a state a template or expression stands, and what it may see there.
struct Site {
  QueryLanguage language = QueryLanguage::JsonPath;
  std::string location = {};  // from the state's top: "Output", "Catch[0]/Assign"
  bool result = false;        // $states.result
  bool error_output = false;  // $states.errorOutput
};

class Query {
 public:
  // Whether the text begins or ends as an expression does, so that it must be one.
  static bool claimed(JsonView value);
  // Compiles the expression at `value`; nothing, with the reason in `problems`, if it is none.
  static std::optional<Query> compile(JsonView value, const Site& site, std::vector<Problem>& problems);

  const std::string& text() const;      // without "{%", "%}" and the blanks beside them
  const std::string& location() const;  // "Arguments/FunctionName"
  // Names of the workflow variables it reads, without `states`.
  std::vector<std::string> variables() const;

  // Failure: States.QueryEvaluationError with the location, when the expression fails or gives nothing.
  Outcome evaluate(const Scope& scope) const;
  // The failure of a value that the field does not take; `expected`: "array", "number", "boolean", "string".
  Failure unexpected(std::string_view expected, const Payload& value) const;

  struct Compiled;

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace millrace::definitions
