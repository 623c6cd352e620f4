#pragma once
// What the engine counts by itself, beside what observers see: handed in by the shell, which has the names
// and the text. Null members are not counted. Each is written by one thread.

#include <cstddef>

#include "base/metrics.h"
#include "orchestrator/dispatch/task_series.h"

namespace millrace::orchestrator {

// Loop thread.
struct EngineMetrics {
  metrics::Histogram* timer_lateness_seconds = nullptr;  // of what fell due
  TaskSeriesOf tasks;                                    // empty: tasks are not counted
};

// Store thread, but for `submitted`.
struct CommitMetrics {
  metrics::Counter* submitted = nullptr;       // appends; loop thread
  metrics::Counter* committed = nullptr;       // appends, refused ones too
  metrics::Counter* failed = nullptr;          // groups
  metrics::Histogram* seconds = nullptr;       // of a group, from its first statement to its last
  metrics::Histogram* sync_seconds = nullptr;  // of its COMMIT: the log written and flushed
  metrics::Histogram* group_appends = nullptr;
};

// How full the engine is. Loop thread.
struct EngineGauges {
  std::size_t live = 0;                    // executions in memory
  std::size_t tasks_out = 0;               // tasks that were handed out and not answered
  std::size_t activity_tasks_waiting = 0;  // for a worker
  std::size_t timers = 0;                  // executions that wait for a time, old pairs too
};

}  // namespace millrace::orchestrator
