#pragma once
// RequestIds: the ids of requests in answers, logs and errors: UUIDs that don't repeat within a seed. Any
// thread.

#include <atomic>
#include <cstdint>
#include <string>

#include "base/random.h"

namespace millrace::tasks {

class RequestIds {
 public:
  explicit RequestIds(std::uint64_t seed) : seed_(seed) {}
  std::string next() {
    Random random(mix(seed_, count_.fetch_add(1, std::memory_order_relaxed)));
    return uuid_v4(random);
  }

 private:
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace millrace::tasks
