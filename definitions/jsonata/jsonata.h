#pragma once
// JSONata: expressions compiled once, evaluated many times. Own evaluator; source: docs.jsonata.org (2.x) and
// the Step Functions developer guide, "Transforming data with JSONata".
//
// Pure and any thread: a Jsonata is immutable, an evaluation has its own arena; time and randomness come with
// the Environment. Bounded: work (steps), depth and memory have limits (base/limits.h), no expression hangs.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "base/payload.h"

namespace millrace::definitions {

// What the language offers. Jsonata: everything of JSONata 2.2 except $eval. StatesLanguage: what Step
// Functions takes (2.0.6: no `??` and `?:`, no $eval) plus $partition, $range, $hash, $random(seed), $uuid,
// $parse; `$` and unqualified names at the top of an expression, and `$$` anywhere, are refused by compile.
enum class JsonataDialect { Jsonata, StatesLanguage };

struct JsonataError {
  std::string code;     // "T2001", "D3141", "S0201", …
  std::string message;  // the reference's wording
  int position = 0;     // UTF-16 units from the start of the expression, as the reference counts; -1: unknown
  std::string token;    // what stood there, may be empty
  std::string value;    // JSON of the offending value, may be empty
};

// A variable that the expression reads and does not bind itself, with the plain member names that follow it:
// `$states.input.a[0].b` is {"states", {"input","a"}}. In order of appearance, without repetition.
struct JsonataReference {
  std::string variable;
  std::vector<std::string> members;
  int position = 0;
};

struct JsonataResult {
  enum class Kind {
    Value,
    Undefined,
    Unsupported,
    Error
  } kind = Kind::Undefined;  // Unsupported: a function or regex
  Payload value;
  JsonataError error;
};

class Jsonata {
 public:
  struct Compiled;
  static tl::expected<Jsonata, JsonataError> compile(std::string_view text,
                                                     JsonataDialect dialect = JsonataDialect::StatesLanguage);

  // `input` is `$` at the top; false: undefined. `bindings` are looked up by name without `$`; borrowed.
  using Binding = std::pair<std::string_view, JsonView>;
  JsonataResult evaluate(JsonView input, const std::vector<Binding>& bindings,
                         const Environment& environment) const;

  const std::string& text() const;
  const std::vector<JsonataReference>& references() const;
  // The functions it names: a variable that is bound under such a name stands in the function's place.
  const std::vector<std::string>& functions() const;

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace millrace::definitions
