#pragma once
// JSON for people: documents written over several lines with their numbers, keys and text exactly as they
// are. Pure.

#include <string>

#include "base/payload.h"

namespace millrace::cli {

// Two blanks a level; short arrays of plain values stay on one line. Without a newline at the end.
std::string pretty(JsonView view);

}  // namespace millrace::cli
