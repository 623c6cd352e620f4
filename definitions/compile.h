#pragma once
// compile(): the one entry from a definition's text to a Program. Pure.

#include <memory>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "definitions/diagnostics.h"
#include "definitions/program.h"

namespace millrace::definitions {

struct Compiled {
  std::shared_ptr<const Program> program;  // null when a diagnostic is an error
  std::vector<Diagnostic> diagnostics;     // in order of their place in the text
};
// Express state machines may not wait for callbacks, jobs or activities.
enum class MachineKind { Standard, Express };
Compiled compile(std::string_view definition_text, const Limits& limits = {},
                 MachineKind kind = MachineKind::Standard);

}  // namespace millrace::definitions
