#pragma once
// Where two documents differ: the first place, as a JSON pointer, and what stands there. Pure.

#include <optional>
#include <string>

#include "base/payload.h"

namespace millrace::simulation {

struct Difference {
  std::string pointer;           // "" is the whole; "/items/0/name"
  std::string expected, actual;  // JSON text, or "nothing"
};

enum class Compare {
  Exact,
  Subset,  // objects may have members that were not expected; arrays have the same length
};

// Nothing when they are equal: numbers by value, objects without regard to order.
std::optional<Difference> first_difference(JsonView expected, JsonView actual, Compare how);

// "at /items/0/name: expected "a", got "b""; long values are cut.
std::string describe(const Difference& difference);
std::string shortened(std::string_view text, std::size_t characters_max);

}  // namespace millrace::simulation
