#include "simulation/difference.h"

#include "base/utf8.h"

namespace millrace::simulation {
namespace {

std::string step(const std::string& pointer, std::string_view name) {
  std::string made = pointer + "/";
  for (const char c : name) {
    if (c == '~')
      made += "~0";
    else if (c == '/')
      made += "~1";
    else
      made += c;
  }
  return made;
}

std::optional<Difference> compare(JsonView expected, JsonView actual, Compare how, const std::string& at);

std::optional<Difference> compare_objects(JsonView expected, JsonView actual, Compare how,
                                          const std::string& at) {
  for (const auto [key, value] : expected.members()) {
    const std::string name = key.string();
    const JsonView found = actual.find(name);
    if (!found) return Difference{step(at, name), std::string(value.text()), "nothing"};
    if (auto inner = compare(value, found, how, step(at, name))) return inner;
  }
  if (how == Compare::Subset) return std::nullopt;
  for (const auto [key, value] : actual.members()) {
    const std::string name = key.string();
    if (!expected.find(name)) return Difference{step(at, name), "nothing", std::string(value.text())};
  }
  return std::nullopt;
}

std::optional<Difference> compare_arrays(JsonView expected, JsonView actual, Compare how,
                                         const std::string& at) {
  const std::uint32_t most = std::max(expected.size(), actual.size());
  for (std::uint32_t i = 0; i < most; ++i) {
    const std::string place = step(at, std::to_string(i));
    if (i >= expected.size()) return Difference{place, "nothing", std::string(actual.at(i).text())};
    if (i >= actual.size()) return Difference{place, std::string(expected.at(i).text()), "nothing"};
    if (auto inner = compare(expected.at(i), actual.at(i), how, place)) return inner;
  }
  return std::nullopt;
}

std::optional<Difference> compare(JsonView expected, JsonView actual, Compare how, const std::string& at) {
  if (expected.is_object() && actual.is_object()) return compare_objects(expected, actual, how, at);
  if (expected.is_array() && actual.is_array()) return compare_arrays(expected, actual, how, at);
  if (equal(expected, actual)) return std::nullopt;
  return Difference{at, std::string(expected.text()), std::string(actual.text())};
}

}  // namespace

std::optional<Difference> first_difference(JsonView expected, JsonView actual, Compare how) {
  return compare(expected, actual, how, "");
}

std::string shortened(std::string_view text, std::size_t characters_max) {
  const std::string_view cut = first_code_points(text, characters_max);
  return cut.size() == text.size() ? std::string(text) : std::string(cut) + "…";
}

std::string describe(const Difference& difference) {
  return (difference.pointer.empty() ? "" : "at " + difference.pointer + ": ") + "expected " +
         shortened(difference.expected, 300) + ", got " + shortened(difference.actual, 300);
}

}  // namespace millrace::simulation
