#pragma once
// What one decision or evaluation may know of the world: it comes in with a stimulus, and what was drawn from
// it leaves in an event.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/time.h"

namespace millrace {

// What a decision may ask of the shell: answers that depend on nothing but what the shell was given before.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // The token by which the outside answers an attempt of a task of the deciding execution ($$.Task.Token).
  virtual std::string task_token(std::uint64_t frame, std::uint64_t visit, std::uint32_t attempt) const = 0;
  virtual bool activity_exists(std::string_view arn) const = 0;
};

struct Environment {
  Instant now;
  std::uint64_t seed = 0;
  const Limits* limits = nullptr;  // borrowed, never null in use
  // Draws made from the seed so far, counted by those who draw: two never see the same numbers.
  mutable std::uint64_t draws = 0;
  const Surroundings* surroundings = nullptr;  // borrowed; null: no tokens, and every activity exists
};

}  // namespace millrace
