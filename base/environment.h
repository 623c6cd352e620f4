#pragma once
// What one decision or evaluation may know of the world: it comes in with a stimulus, and what was drawn from
// it leaves in an event.

#include <cstdint>

#include "base/limits.h"
#include "base/time.h"

namespace millrace {

struct Environment {
  Instant now;
  std::uint64_t seed = 0;
  const Limits* limits = nullptr;  // borrowed, never null in use
  // Draws made from the seed so far, counted by those who draw: two never see the same numbers.
  mutable std::uint64_t draws = 0;
};

}  // namespace millrace
