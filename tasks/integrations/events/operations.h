#pragma once
// EventBridge's operations as task kinds: PutEvents in both forms and connections. Worker thread.

#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome put_events(TaskCall& call);
Outcome create_connection(TaskCall& call);
Outcome update_connection(TaskCall& call);
Outcome delete_connection(TaskCall& call);
Outcome describe_connection(TaskCall& call);
Outcome list_connections(TaskCall& call);

}  // namespace millrace::tasks
