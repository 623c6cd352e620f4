#include "base/clock.h"

namespace millrace {

Instant ForwardTime::at(Instant wall, Millis uptime) {
  if (last_) {
    const Millis passed = std::max(uptime - last_->uptime, Millis(0));
    const Instant own = last_->time + passed - passed / 10;
    if (wall < own) return own;
  }
  last_ = Seen{wall, uptime};
  return wall;
}

Instant SystemClock::now() const {
  const std::lock_guard lock(mutex_);
  return forward_.at(std::chrono::floor<Millis>(std::chrono::system_clock::now()), uptime());
}

Millis SystemClock::uptime() const {
  return std::chrono::floor<Millis>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace millrace
