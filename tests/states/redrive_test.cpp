// Which executions may be redriven, and the reasons that are told.

#include "states/redrive.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::states;

TEST_CASE("Redrive: what may be redriven, and why not") {
  const Limits limits;
  const Instant now = from_millis(1'700'000'000'000);
  const std::chrono::hours day(24);
  RedriveCandidate candidate{ExecutionStatus::Failed, now - day, now - day, 10, false};
  CHECK(why_not_redrivable(candidate, now, limits) == "");
  for (const auto status : {ExecutionStatus::TimedOut, ExecutionStatus::Aborted}) {
    candidate.status = status;
    CHECK(why_not_redrivable(candidate, now, limits) == "");
  }
  candidate.status = ExecutionStatus::Running;
  CHECK(why_not_redrivable(candidate, now, limits) == "Execution is RUNNING and cannot be redriven");
  candidate.status = ExecutionStatus::Succeeded;
  CHECK(why_not_redrivable(candidate, now, limits) == "Execution is SUCCEEDED and cannot be redriven");
  candidate.status = ExecutionStatus::Failed;
  candidate.visible_events = 24'998;
  CHECK(why_not_redrivable(candidate, now, limits) == "");
  candidate.visible_events = 24'999;
  CHECK(why_not_redrivable(candidate, now, limits) == "Execution history event limit exceeded");
  candidate.visible_events = 10;
  candidate.machine_deleting = true;
  CHECK(why_not_redrivable(candidate, now, limits) == "State machine is in DELETING status");
  candidate.machine_deleting = false;
  candidate.stopped = now - 14 * day;
  CHECK(why_not_redrivable(candidate, now, limits) == "Execution redrivable period exceeded");
  candidate.started = now - 365 * day;
  CHECK(why_not_redrivable(candidate, now, limits) == "Execution has exceeded the max execution time");
}
