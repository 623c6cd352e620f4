#pragma once
// How executions are shown: AWS's field names as JSON, and a few lines for people.

#include <optional>
#include <string>

#include "base/json.h"
#include "orchestrator/store/store.h"
#include "states/execution.h"

namespace millrace::cli {

// An execution as it stands in a home: its row, its machine and the fold of its history.
struct Shown {
  orchestrator::ExecutionRow row;
  orchestrator::MachineRow machine;
  std::vector<states::Event> events;
  std::shared_ptr<const definitions::Program> program;
  states::Execution execution;
};

// By ARN, by name (the newest of that name), or by "MACHINE/NAME". NotFound names what there is.
Result<Shown> find_execution(orchestrator::Store& store, const std::string& which);

// DescribeExecution's fields.
Json describe_json(const Shown& shown);
// "States.TaskFailed: AlgorithmError: no such column, exit code: 1": of a cause that is a job's document, its
// reason.
std::string for_people(const std::string& error, const std::string& cause);
std::string status_line(const Shown& shown);  // "fraud/0198… SUCCEEDED in 12.3 s"

}  // namespace millrace::cli
