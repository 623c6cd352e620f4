#pragma once
// Loop: the one thread on which the engine lives. Real (libuv) and simulated.

#include <functional>
#include <memory>

#include "base/clock.h"

struct uv_loop_s;

namespace millrace::orchestrator {

using TimerHandle = std::uint64_t;  // 0: none

class Loop {
 public:
  virtual ~Loop() = default;
  // Any thread: runs `work` on the loop thread, in the order posted.
  virtual void post(std::function<void()> work) = 0;
  // Loop thread: runs `work` once when the clock has reached `due` (never before; at once, from the loop, if
  // it has). A wall clock that jumps is noticed within a second.
  virtual TimerHandle at(Instant due, std::function<void()> work) = 0;
  virtual void cancel(TimerHandle timer) = 0;  // unknown or fired: nothing happens
  virtual const Clock& clock() const = 0;
};

// The real one. run() returns after stop() was called and the loop has nothing more posted; it may be run
// again.
class UvLoop : public Loop {
 public:
  virtual void run() = 0;
  virtual void stop() = 0;  // any thread
  // Loop thread: `handler` for SIGINT, SIGTERM, … while the object lives.
  virtual void on_signal(int signal, std::function<void()> handler) = 0;
  // For those who add handles of their own (service/http); they close them before this object goes.
  virtual uv_loop_s* handle() = 0;
};
std::unique_ptr<UvLoop> make_uv_loop(const Clock& clock);

}  // namespace millrace::orchestrator
