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

// state_machines.cpp
void create_state_machine(Call call);
// executions.cpp
void start_execution(Call call);
void stop_execution(Call call);
void describe_execution(Call call);
void list_executions(Call call);
// history.cpp
void get_execution_history(Call call);

}  // namespace millrace::api
