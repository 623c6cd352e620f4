#pragma once
// Instant and Millis, and RFC 3339 both ways. UTC, milliseconds; leap seconds are not counted.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

using Millis = std::chrono::milliseconds;
using Instant = std::chrono::sys_time<Millis>;

inline std::int64_t to_millis(Instant t) {
  return t.time_since_epoch().count();
}
inline Instant from_millis(std::int64_t ms) {
  return Instant(Millis(ms));
}

// "2026-11-21T06:59:16.123Z": three digits of fraction, always.
std::string format_rfc3339(Instant t);
// RFC 3339 as the Amazon States Language restricts it: upper-case T, and Z or a numeric offset; any number of
// fraction digits (cut to milliseconds). Nothing where the text is something else or the date does not exist.
std::optional<Instant> parse_rfc3339(std::string_view text);
// "Sat, 21 Nov 2026 11:09:01 GMT", as HTTP writes times (RFC 9110).
std::string format_http_date(Instant t);
// The same backwards; nothing where the text is anything else (RFC 9110's older forms too).
std::optional<Instant> parse_http_date(std::string_view text);
// "350 ms", "12.3 s", "4 min 5 s", "2 h 3 min": for people.
std::string format_duration(Millis duration);

}  // namespace millrace
