#pragma once
// What an expression of a definition may see when it is evaluated, and how it answers. Pure: time and
// randomness are in the environment, nothing else of the world is reachable.

#include <map>
#include <string>

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

// Workflow variables by name, innermost scope first in look-ups. Assign fills them (a later language step).
using Variables = std::map<std::string, Payload, std::less<>>;

struct Scope {
  const Payload& input;            // what `$` means here
  const Context& context;          // `$$`
  const Variables& variables;      // `$name`
  const Environment& environment;  // the only source of time and randomness
};

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
