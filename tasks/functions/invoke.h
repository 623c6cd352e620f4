#pragma once
// The Lambda operations as task kinds and for other doors: invoke, getFunction, listFunctions.

#include <string>

#include "tasks/functions/lambda.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

// Invocation types Event (it runs, its answer goes to the log only, and it is lost if this process ends
// first) and DryRun (only whether the function is there). Any thread.
Outcome send_event(FunctionHost& host, const LambdaCall& call, const std::string& request_id, Instant now);

// Worker thread. Waits for the answer; kills the invocation when the call is cancelled.
Outcome invoke_function(TaskCall& call);
Outcome get_function(TaskCall& call);
Outcome list_functions(TaskCall& call);

}  // namespace millrace::tasks
