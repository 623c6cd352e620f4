#include "simulation/reading.h"

#include <algorithm>
#include <cmath>

namespace millrace::simulation {

Member Member::find(std::string_view name) const {
  return {view_ && view_.is_object() ? view_.find(name) : JsonView(), below(name)};
}

Member Member::at(std::uint32_t position) const {
  return {view_.at(position), below(std::to_string(position))};
}

std::string Member::below(std::string_view name) const {
  return place_ + (place_.find(": /") == std::string::npos ? ": /" : "/") + std::string(name);
}

tl::unexpected<Error> Member::wrong(std::string what, std::string hint) const {
  return invalid(place_ + ": " + std::move(what), std::move(hint));
}

Status Member::members(std::initializer_list<std::string_view> names) const {
  if (!view_ || !view_.is_object()) return wrong("must be an object");
  for (const auto [key, value] : view_.members()) {
    const std::string name = key.string();
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string known;
    for (const std::string_view n : names) known.append(known.empty() ? "" : ", ").append(n);
    return wrong("unknown member '" + name + "'", "it may have: " + known);
  }
  return {};
}

Result<std::optional<std::string>> Member::text(std::string_view name) const {
  const Member found = find(name);
  if (!found) return std::optional<std::string>();
  if (!found.view().is_string()) return found.wrong("must be a string");
  return std::optional(found.view().string());
}

Result<std::optional<double>> Member::number(std::string_view name, double least) const {
  const Member found = find(name);
  if (!found) return std::optional<double>();
  if (!found.view().is_number()) return found.wrong("must be a number");
  const double value = found.view().number();
  if (!(value >= least) || !std::isfinite(value))
    return found.wrong("must not be less than " + std::string(least == 0 ? "0" : "allowed"));
  return std::optional(value);
}

Result<std::optional<std::uint64_t>> Member::whole(std::string_view name) const {
  const Member found = find(name);
  if (!found) return std::optional<std::uint64_t>();
  const auto value = found.view().is_number() ? found.view().integer() : std::nullopt;
  if (!value || *value < 0) return found.wrong("must be a whole number, 0 or more");
  return std::optional(static_cast<std::uint64_t>(*value));
}

Result<std::optional<Millis>> Member::seconds(std::string_view name) const {
  MR_TRY(value, number(name));
  if (!value) return std::optional<Millis>();
  return std::optional(millis_of(*value));
}

Result<bool> Member::flag(std::string_view name) const {
  const Member found = find(name);
  if (!found) return false;
  if (!found.view().is_boolean()) return found.wrong("must be true or false");
  return found.view().boolean();
}

Result<Payload> parse_file(const std::string& text, const std::string& file) {
  auto parsed = Payload::parse(text);
  if (!parsed) return invalid(file + ": " + parsed.error().message);
  return parsed;
}

Millis millis_of(double seconds) {
  constexpr double kMost = 100.0 * 366 * 86'400;  // a century
  return Millis(static_cast<std::int64_t>(std::llround(std::min(seconds, kMost) * 1000)));
}

}  // namespace millrace::simulation
