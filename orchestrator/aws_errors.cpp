#include "orchestrator/aws_errors.h"

#include <utility>

namespace millrace::orchestrator {

std::string_view aws_name_in_text(std::string_view message) {
  static constexpr std::pair<std::string_view, std::string_view> kBeginnings[] = {
      {"Invalid Arn: ", "InvalidArn"},
      {"Invalid Name: ", "InvalidName"},
      {"Invalid Token: ", "InvalidToken"},
      {"Invalid Output: ", "InvalidOutput"},
      {"Invalid State Machine Definition", "InvalidDefinition"},
      {"Invalid State Machine Execution Input", "InvalidExecutionInput"},
      {"State Machine Does Not Exist", "StateMachineDoesNotExist"},
      {"State Machine Already Exists", "StateMachineAlreadyExists"},
      {"Execution Does Not Exist", "ExecutionDoesNotExist"},
      {"Execution Already Exists", "ExecutionAlreadyExists"},
      {"ExecutionLimitExceeded", "ExecutionLimitExceeded"},
      {"Task Timed Out", "TaskTimedOut"},
      {"Task Does Not Exist", "TaskDoesNotExist"},
      {"Activity Does Not Exist", "ActivityDoesNotExist"},
      {"State Machine is being deleted", "StateMachineDeleting"},
      {"Resource not found", "ResourceNotFound"},
      {"This operation is not supported by this type of state machine", "StateMachineTypeNotSupported"},
  };
  for (const auto& [beginning, name] : kBeginnings) {
    if (message.starts_with(beginning)) return name;
  }
  if (message.find("validation error detected: ") != std::string_view::npos) return "ValidationException";
  return {};
}

}  // namespace millrace::orchestrator
