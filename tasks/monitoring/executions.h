#pragma once
// Monitoring executions: one record for each run of a schedule, named SCHEDULE/time, and the processing job
// that does its work under a name made of both; a run that is asked for again finds them. How the job ends
// is carried over to the record by the same changes that become events (state_changes.h), once. Worker
// threads, and that of the changes.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

// The variable of a processing job's Environment that names its execution.
inline constexpr const char* kExecutionVariable = "MONITORING_EXECUTION";

// runMonitoringExecution, ours: what a due time of a schedule calls, and a workflow that looks at other
// spans: MonitoringScheduleName, ScheduledTime, and PreviousTime (or the plan's offsets) for where its span
// begins.
// {"ProcessingJobArn", "MonitoringExecutionStatus"}.
Outcome run_monitoring_execution(TaskCall& call);
Outcome list_monitoring_executions(TaskCall& call);

// The newest execution of a schedule as a summary; null: none.
Result<Json> last_execution_summary(const Jobs& jobs, const std::string& schedule);

// What is kept of a processing job's change for the execution it works for, if it does.
Status follow_monitoring_job(Jobs& jobs, const Jobs::Change& change);

}  // namespace millrace::tasks
