#pragma once
// One task by itself, of no execution: for TestState. Loop thread only.

#include <functional>

#include "orchestrator/dispatch/runner.h"
#include "orchestrator/loop/loop.h"

namespace millrace::orchestrator {

// Runs the task and replies once with what it came to: States.Timeout when that takes longer than `most`, and
// a failure when no one serves the resource. `exchanged`: what it sent and got, when the request asks for
// that. Loop and runner are borrowed and must outlive the task, or the loop end before.
void run_one_task(Loop& loop, TaskRunner& runner, TaskRequest request, Millis most,
                  std::function<void(Outcome)> reply, std::function<void(Payload)> exchanged = {});

}  // namespace millrace::orchestrator
