#pragma once
// JSON for people: documents written over several lines with their numbers, keys and text exactly as they
// are; and text inside XML. Pure.

#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace::cli {

// Two blanks a level; short arrays of plain values stay on one line. Without a newline at the end.
std::string pretty(JsonView view);

// Text as it may stand in XML 1.0, attributes included: what cannot be said there becomes U+FFFD.
std::string xml(std::string_view text);

}  // namespace millrace::cli
