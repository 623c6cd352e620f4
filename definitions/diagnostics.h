#pragma once
// Diagnostics: what is wrong with a definition, where, and what to do about it: all of it at once, as a
// compiler does.

#include <string>
#include <string_view>
#include <vector>

#include "base/payload.h"

namespace millrace::definitions {

enum class Severity { Error, Warning };

struct Diagnostic {
  Severity severity = Severity::Error;
  std::string
      code;  // AWS's where it has one (SCHEMA_VALIDATION_FAILED, MISSING_TRANSITION_TARGET, …), else ours
  // The place as AWS writes it: "/States/Train/Next", "/States/Route/Choices[0]/Next". Empty: no single
  // place.
  std::string pointer;
  JsonPosition position;
  std::string message;  // AWS's words where they are known
  std::string hint;     // may be empty
};

// "fraud.json:12:15: error: MISSING_TRANSITION_TARGET: …", then the line of the definition with a caret, then
// the hint.
std::string render(const Diagnostic& diagnostic, std::string_view file, std::string_view definition_text);
// The errors among them in one text, as the service's API shows them: "CODE: message at /place, CODE: …".
std::string list_errors(const std::vector<Diagnostic>& diagnostics);
// The name in `candidates` nearest to `name` by edit distance, empty if none is near.
std::string nearest(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace millrace::definitions
