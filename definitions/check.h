#pragma once
// Checks on the graph of one scope, when all its states and transitions are known.

#include "definitions/parse.h"

namespace millrace::definitions {

// Errors: no terminal state at all; states that nothing leads to. Warnings: loops without a way out.
// Only the first is reported when there is no terminal state, as AWS does: everything else follows from it.
void check_scope(Source& source, const ScopeNames& names, const Program& program, JsonView anchor);

// Variables are assigned in one scope only: names that an inner scope shares with one around it are errors.
void check_assigned(Source& source);

// Warnings about what the ways through the states show: variables that are read before they are assigned,
// retriers and catchers that nothing reaches, retries that outlast the execution. Of a program without
// errors.
void check_paths(Source& source, const Program& program);

}  // namespace millrace::definitions
