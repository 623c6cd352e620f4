#pragma once
// The table of all operations: name, shape of the request, function. One row an operation, one file a group
// of resources.

#include <span>
#include <string_view>

#include "service/api/call.h"
#include "service/api/shapes.h"

namespace millrace::api {

struct OperationRow {
  std::string_view name;
  Operation run;
  std::span<const Member> input;
};

std::span<const OperationRow> operations();
const OperationRow* find_operation(std::string_view name);  // null: there is none

// activities.cpp
void create_activity(Call call);
void delete_activity(Call call);
void describe_activity(Call call);
void list_activities(Call call);
// aliases.cpp
void create_state_machine_alias(Call call);
void delete_state_machine_alias(Call call);
void describe_state_machine_alias(Call call);
void list_state_machine_aliases(Call call);
void update_state_machine_alias(Call call);
// executions.cpp
void describe_execution(Call call);
void list_executions(Call call);
void start_execution(Call call);
void start_sync_execution(Call call);
void stop_execution(Call call);
void redrive_execution(Call call);
// history.cpp
void get_execution_history(Call call);
// map_runs.cpp
void describe_map_run(Call call);
void list_map_runs(Call call);
void update_map_run(Call call);
// state_machines.cpp
void create_state_machine(Call call);
void delete_state_machine(Call call);
void describe_state_machine(Call call);
void describe_state_machine_for_execution(Call call);
void list_state_machines(Call call);
void update_state_machine(Call call);
// tags.cpp
void list_tags_for_resource(Call call);
void tag_resource(Call call);
void untag_resource(Call call);
// test_state.cpp
void test_state(Call call);
// tokens.cpp
void get_activity_task(Call call);
void send_task_failure(Call call);
void send_task_heartbeat(Call call);
void send_task_success(Call call);
// validate.cpp
void validate_state_machine_definition(Call call);
// versions.cpp
void delete_state_machine_version(Call call);
void list_state_machine_versions(Call call);
void publish_state_machine_version(Call call);

}  // namespace millrace::api
