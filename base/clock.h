#pragma once
// Clock: the only way to ask for the time. The real one is made in service/; simulation has its own.

#include <mutex>
#include <optional>

#include "base/time.h"

namespace millrace {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;    // UTC; may jump forward
  virtual Millis uptime() const = 0;  // monotonic; for durations
};

// Time that never goes back. When the machine's clock is set back, this one runs on from where it was, a
// tenth slower, until the machine's has caught up: what waits for seconds waits for seconds (and a tenth),
// and no history goes back in time. A clock that is set forward is followed at once.
class ForwardTime {
 public:
  Instant at(Instant wall, Millis uptime);

 private:
  struct Seen {
    Instant time;
    Millis uptime;
  };
  std::optional<Seen> last_;  // when it last was the machine's
};

// Any thread.
class SystemClock final : public Clock {
 public:
  Instant now() const override;
  Millis uptime() const override;

 private:
  mutable std::mutex mutex_;
  mutable ForwardTime forward_;  // guarded by mutex_
};

}  // namespace millrace
