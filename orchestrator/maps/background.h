#pragma once
// Background: work that may wait for a disk, off the loop. One job after another, in the order given.

#include <functional>
#include <memory>

#include "orchestrator/loop/loop.h"

namespace millrace::orchestrator {

class Background {
 public:
  virtual ~Background() = default;
  // Loop thread. `work` runs elsewhere, then `done` on the loop.
  virtual void run(std::function<void()> work, std::function<void()> done) = 0;
};

// A thread of its own. Its end waits for the job under way and drops the others; nobody is called any more.
std::unique_ptr<Background> make_background(Loop& loop);
// The loop itself, in its turn: for simulation and tests.
std::unique_ptr<Background> make_background_on_loop(Loop& loop);

}  // namespace millrace::orchestrator
