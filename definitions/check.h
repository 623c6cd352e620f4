#pragma once
// Checks on the graph of one scope, when all its states and transitions are known.

#include "definitions/parse.h"

namespace millrace::definitions {

// Errors: no terminal state at all; states that nothing leads to. Warnings: loops without a way out.
// Only the first is reported when there is no terminal state, as AWS does: everything else follows from it.
void check_scope(Source& source, const ScopeNames& names, const Program& program, JsonView anchor);

// Variables are assigned in one scope only: names that an inner scope shares with one around it are errors.
void check_assigned(Source& source);

}  // namespace millrace::definitions
