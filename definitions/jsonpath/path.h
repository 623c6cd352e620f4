#pragma once
// Paths: JSONPath in the Jayway dialect that Step Functions uses. `$…` reads the input, `$$…` the context
// object,
// `$name…` a variable. Compiled once; following a definite path allocates nothing.
// Source: Amazon States Language, "Paths"; the Jayway JsonPath library's behaviour.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "definitions/expression.h"

namespace millrace::definitions {

class Path {
 public:
  enum class Root { Input, Context, Variable };

  // InvalidArgument with what is wrong and the column in the path.
  static Result<Path> parse(std::string_view source);

  const std::string& source() const { return source_; }
  Root root() const { return root_; }
  const std::string& variable() const { return variable_; }  // name, for Root::Variable
  bool whole() const;     // just `$` (or `$$`, `$name`): the document itself
  bool definite() const;  // names one node at most
  // The first function in it that there is none of, else empty: such a path fails where it gets to that.
  const std::string& unknown_function() const;
  // What to say about that: a Problem's message and hint.
  std::string unknown_function_message() const;
  static constexpr std::string_view kFunctionsHint =
      "functions of paths are append, avg, concat, first, index, keys, last, length, max, min, size, stddev "
      "and sum";

  // The node of a definite path in the document its root names, without copying: false when it is not there.
  // Only for definite paths without a function. `document` must outlive the view.
  JsonView find(const Payload& document) const;
  // The value, or for an indefinite path the array of matches. Failure: States.Runtime "Invalid path '$.a' :
  // No results for path: $['a']" and its kin.
  Outcome evaluate(const Scope& scope) const;
  // The same on a given document instead of the root's.
  Outcome evaluate_on(const Payload& document, const Environment& environment) const;
  // As the library itself answers: where the definite beginning of a path is missing it fails even if the
  // path is indefinite, where the service answers no matches. `missing`: the failure is that nothing was
  // found.
  struct Answer {
    Outcome outcome;
    bool missing = false;
  };
  Answer query(const Payload& document) const;
  // The document the root names. Failure when a variable is not assigned.
  Outcome root_document(const Scope& scope) const;

  struct Compiled;  // the steps; jsonpath/ only
  const Compiled& compiled() const { return *compiled_; }

 private:
  std::string source_;
  Root root_ = Root::Input;
  std::string variable_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace millrace::definitions
