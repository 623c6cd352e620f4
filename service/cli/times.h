#pragma once
// Times as people write them in options. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace::cli {

// "90 days", "12h", "1 minute": a number and a unit.
std::optional<Millis> duration_of(std::string_view text);
// "2h" (so long before `now`), "2026-11-21", "2026-11-21T09:00:00Z". InvalidArgument names the option.
Result<Instant> past_time(const std::string& text, std::string_view option, Instant now);

}  // namespace millrace::cli
