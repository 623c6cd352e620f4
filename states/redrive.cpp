#include "states/redrive.h"

namespace millrace::states {

std::string_view why_not_redrivable(const RedriveCandidate& candidate, Instant now, const Limits& limits) {
  constexpr std::chrono::hours kDay(24);
  if (candidate.status == ExecutionStatus::Running) return "Execution is RUNNING and cannot be redriven";
  if (candidate.status == ExecutionStatus::Succeeded) return "Execution is SUCCEEDED and cannot be redriven";
  if (candidate.machine_deleting) return "State machine is in DELETING status";
  // One event more is the redrive itself, and the last one ends the execution.
  if (candidate.visible_events + 1 >= limits.history_events_max)
    return "Execution history event limit exceeded";
  if (now - candidate.started >= kDay * limits.execution_days_max)
    return "Execution has exceeded the max execution time";
  if (candidate.stopped && now - *candidate.stopped >= kDay * limits.redrive_days_max)
    return "Execution redrivable period exceeded";
  return {};
}

}  // namespace millrace::states
