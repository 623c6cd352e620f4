#pragma once
// What is counted of the tasks of one kind of resource; handed in by the shell, which has the names. Loop
// thread.

#include <functional>
#include <string>

#include "base/metrics.h"

namespace millrace::orchestrator {

struct TaskSeries {
  metrics::Counter* started = nullptr;
  metrics::Counter* succeeded = nullptr;
  metrics::Counter* failed = nullptr;
  metrics::Counter* heartbeat_timed_out = nullptr;
  metrics::Histogram* seconds = nullptr;  // from its start to its outcome
};
// The series of a Resource; null: it is not counted.
using TaskSeriesOf = std::function<const TaskSeries*(const std::string& resource)>;

}  // namespace millrace::orchestrator
