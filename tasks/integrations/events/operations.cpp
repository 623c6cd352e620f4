#include "tasks/integrations/events/operations.h"

#include <nlohmann/json.hpp>

#include "tasks/functions/lambda.h"
#include "tasks/integrations/events/event_log.h"
#include "tasks/integrations/http/connections.h"
#include "tasks/integrations/integrations.h"
#include "tasks/integrations/sdk_form.h"

namespace millrace::tasks {
namespace {

tl::unexpected<Failure> refused(const TaskCall& call, const Error& error) {
  const auto as = [&](std::string_view code, int status) {
    return sdk_failure(call, kEventBridgeNames, code, status,
                       error.hint.empty() ? error.message : error.message + "; " + error.hint);
  };
  switch (error.code) {
    case ErrorCode::InvalidArgument:
      return as("ValidationException", 400);
    case ErrorCode::NotFound:
      return as("ResourceNotFoundException", 400);
    case ErrorCode::AlreadyExists:
      return as("ResourceAlreadyExistsException", 400);
    case ErrorCode::LimitExceeded:
      return as("LimitExceededException", 400);
    default:
      return as("InternalException", 500);
  }
}

Outcome answered(const TaskCall& call, const Result<Json>& result) {
  if (!result) return refused(call, result.error());
  return sdk_answer(call, *result);
}

// Step Functions names the execution and its state machine among the resources of each event.
std::vector<std::string> resources_of(const TaskCall& call) {
  if (call.execution_arn.empty()) return {};
  constexpr std::string_view kPart = ":execution:";
  const std::size_t at = call.execution_arn.find(kPart);
  if (at == std::string::npos) return {call.execution_arn};
  const std::string rest = call.execution_arn.substr(at + kPart.size());
  return {call.execution_arn,
          call.execution_arn.substr(0, at) + ":stateMachine:" + rest.substr(0, rest.find(':'))};
}

}  // namespace

Outcome put_events(TaskCall& call) {
  const auto log = call.integrations->events();
  if (!log) return refused(call, log.error());
  const auto answer = (*log)->put(call.arguments, call.key, resources_of(call));
  if (!answer) return refused(call, answer.error());
  const bool failed_entry = answer->value("FailedEntryCount", 0) > 0;
  if (call.optimized && failed_entry)
    return failed("EventBridge.FailedEntry", std::string(to_payload(*answer).text()));
  return sdk_answer(call, *answer);
}

Outcome create_connection(TaskCall& call) {
  return answered(call, call.integrations->connections().create(call.arguments));
}
Outcome update_connection(TaskCall& call) {
  return answered(call, call.integrations->connections().update(call.arguments));
}
Outcome delete_connection(TaskCall& call) {
  return answered(call, call.integrations->connections().remove(call.arguments));
}
Outcome describe_connection(TaskCall& call) {
  return answered(call, call.integrations->connections().describe(call.arguments));
}
Outcome list_connections(TaskCall& call) {
  return answered(call, call.integrations->connections().list(call.arguments));
}

}  // namespace millrace::tasks
