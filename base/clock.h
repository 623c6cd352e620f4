#pragma once
// Clock: the only way to ask for the time. The real one is made in service/; simulation has its own.

#include "base/time.h"

namespace millrace {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;    // UTC; may jump
  virtual Millis uptime() const = 0;  // monotonic; for durations
};

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  Millis uptime() const override;
};

}  // namespace millrace
