#pragma once
// Redrive: an execution that did not succeed goes on from where it failed, in the same history. What goes on
// is in evolve (ExecutionRedriven) and decide (RedriveRequested); here is whether it may.
// Pure. Source: Step Functions developer guide, "Restarting state machine executions with redrive";
// redriveStatusReason of DescribeExecution in the API reference.

#include <string_view>

#include "base/limits.h"
#include "states/execution.h"

namespace millrace::states {

// What is asked about an execution; all of it stands in its row and its last event.
struct RedriveCandidate {
  ExecutionStatus status = ExecutionStatus::Running;
  Instant started;
  std::optional<Instant> stopped;
  EventNumber visible_events = 0;
  bool machine_deleting = false;
};

// Why it can't be redriven, in AWS's words; empty: it can.
std::string_view why_not_redrivable(const RedriveCandidate& candidate, Instant now, const Limits& limits);

}  // namespace millrace::states
