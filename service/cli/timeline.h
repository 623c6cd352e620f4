#pragma once
// A run as a timeline: a bar for each visit of a state, those of branches and iterations below theirs. For
// terminals and as a picture. Pure.

#include <string>

#include "simulation/trace.h"

namespace millrace::cli {

// At most `rows_max` rows, then how many more there are.
std::string timeline_text(const simulation::Trace& trace, std::size_t width, std::size_t rows_max);
std::string timeline_svg(const simulation::Trace& trace, const std::string& title);

}  // namespace millrace::cli
