#pragma once
// The built-in functions, one table: name, signature, dialects, code. A function gets its arguments checked
// and completed by the signature.

#include <span>
#include <string_view>

#include "definitions/jsonata/jsonata.h"
#include "definitions/jsonata/signature.h"
#include "definitions/jsonata/value.h"

namespace millrace::definitions::jsonata {

class Evaluation;

// Arguments that the caller left out are Undefined: `arguments` has as many as the signature has parameters.
using Native = Value (*)(Evaluation& evaluation, std::span<const Value> arguments);

struct Builtin {
  std::string_view name;
  Native run = nullptr;
  Signature parsed;
  Function function;  // the value that $name is
};

// Null when there is none of this name in the dialect.
const Builtin* find_function(std::string_view name, JsonataDialect dialect);

}  // namespace millrace::definitions::jsonata
