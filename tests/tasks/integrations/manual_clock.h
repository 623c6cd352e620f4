#pragma once
// A clock that a test moves. Any thread.

#include <atomic>

#include "base/clock.h"

class ManualClock final : public millrace::Clock {
 public:
  millrace::Instant now() const override { return millrace::from_millis(1'763'730'000'000 + moved_.load()); }
  millrace::Millis uptime() const override { return millrace::Millis(moved_.load()); }
  void advance(millrace::Millis by) { moved_ += by.count(); }

 private:
  std::atomic<std::int64_t> moved_{0};
};
