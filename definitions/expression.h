#pragma once
// What an expression of a definition may see when it is evaluated, and how it answers. Pure: time and
// randomness are in the environment, nothing else of the world is reachable.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/failure.h"
#include "base/payload.h"

namespace millrace::definitions {

// The context object ($$), built when something asks for it: most states never do.
class Context {
 public:
  virtual ~Context() = default;
  virtual const Payload& object() const = 0;
};

enum class QueryLanguage { JsonPath, JsonAta };

// Workflow variables as an expression sees them: those of its own States, then of the States around it.
class Variables {
 public:
  virtual ~Variables() = default;
  virtual const Payload* find(std::string_view name) const = 0;  // null when nothing has been assigned
};
using VariableMap = std::map<std::string, Payload, std::less<>>;
// Variables of one level.
struct VariableTable final : Variables {
  VariableMap map;
  const Payload* find(std::string_view name) const override {
    const auto it = map.find(name);
    return it == map.end() ? nullptr : &it->second;
  }
};

struct Scope {
  const Payload& input;                   // what `$` means here
  const Context& context;                 // `$$`, $states.context
  const Variables& variables;             // `$name`
  const Environment& environment;         // the only source of time and randomness
  const Payload* state_input = nullptr;   // $states.input; null: `input`
  const Payload* result = nullptr;        // $states.result, where there is one
  const Payload* error_output = nullptr;  // $states.errorOutput, in a catcher
};

// Names of variables, in order: what an expression or a state reads.
using VariableNames = std::set<std::string, std::less<>>;

// Evaluation answers an Outcome. A Failure's cause is the bare sentence ("The JSONPath '$.x' specified for
// …"); the state adds "An error occurred while executing the state 'S' (entered at the event id #N). " in
// front of it.

// Something wrong inside a part of a definition, found while compiling: `node` is the JSON node it stands at.
struct Problem {
  std::uint32_t node = 0;
  std::string code;  // SCHEMA_VALIDATION_FAILED, …
  std::string message;
  std::string hint;
  bool warning = false;
};

}  // namespace millrace::definitions
