#pragma once
// Retention: executions that ended long ago are removed with their histories and map runs, a few at a time
// between commits, so that nobody waits for it. Their names are free again. Loop thread only.

#include <cstdint>
#include <functional>
#include <memory>

#include "orchestrator/committer.h"
#include "orchestrator/loop/loop.h"

namespace millrace::orchestrator {

struct RetentionSettings {
  std::int64_t days = 90;                      // after its end; 0: for ever
  std::size_t batch = 200;                     // executions looked at in one transaction
  Millis pause{20};                            // between two transactions
  Millis interval = std::chrono::minutes(10);  // between two passes over the home
  std::size_t vacuum_pages = 256;              // free pages given back to the file system after each batch
};

class Retention {
 public:
  // Borrows both. `removed` (may be empty) is told how many executions each transaction removed.
  Retention(Loop& loop, Committer& committer, RetentionSettings settings,
            std::function<void(std::size_t)> removed = {});
  ~Retention();
  // The first pass begins at once, the next ones by themselves. With days 0 nothing happens.
  void start();

 private:
  void step(ExecutionId after);
  void again_in(Millis time, ExecutionId after);

  Loop& loop_;
  Committer& committer_;
  const RetentionSettings settings_;
  std::function<void(std::size_t)> removed_;
  TimerHandle timer_ = 0;
  std::shared_ptr<Retention*> self_;  // answers that come after this object are dropped
};

}  // namespace millrace::orchestrator
