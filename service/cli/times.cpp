#include "service/cli/times.h"

#include <charconv>

namespace millrace::cli {

std::optional<Millis> duration_of(std::string_view text) {
  std::int64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  if (read.ec != std::errc() || count <= 0 || count > 1'000'000'000) return std::nullopt;
  std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"s", 1},    {"second", 1},  {"seconds", 1},  {"m", 60},     {"minute", 60},  {"minutes", 60},
      {"h", 3600}, {"hour", 3600}, {"hours", 3600}, {"d", 86'400}, {"day", 86'400}, {"days", 86'400}};
  for (const auto& [name, seconds] : kUnits) {
    if (unit == name && count <= 3'155'760'000 / seconds) return Millis(count * seconds * 1000);
  }
  return std::nullopt;
}

Result<Instant> past_time(const std::string& text, std::string_view option, Instant now) {
  if (const auto ago = duration_of(text)) return now - *ago;
  if (const auto day = parse_rfc3339(text + "T00:00:00Z")) return *day;
  if (const auto time = parse_rfc3339(text)) return *time;
  return invalid(std::string(option) + ": '" + text + "' is neither a time nor a duration",
                 "e.g. 2h (two hours ago), 2026-11-21, 2026-11-21T09:00:00Z");
}

}  // namespace millrace::cli
