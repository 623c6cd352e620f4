#include "tasks/integrations/events/operations.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
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

std::string bus_arn(const TaskCall& call) {
  return "arn:aws:events:" + call.place->region + ":" + call.place->account + ":event-bus/default";
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

Outcome describe_event_bus(TaskCall& call) {
  const auto name = Arguments(call.arguments).text_or("Name", "default");
  if (!name) return refused(call, name.error());
  if (*name != "default" && *name != bus_arn(call))
    return refused(call, Error{ErrorCode::NotFound, "Event bus " + *name + " does not exist."});
  return sdk_answer(call, Json{{"Name", "default"}, {"Arn", bus_arn(call)}});
}

Outcome list_event_buses(TaskCall& call) {
  const auto prefix = Arguments(call.arguments).text_or("NamePrefix", "");
  if (!prefix) return refused(call, prefix.error());
  Json buses = Json::array();
  if (std::string_view("default").starts_with(*prefix))
    buses.push_back({{"Name", "default"}, {"Arn", bus_arn(call)}});
  return sdk_answer(call, Json{{"EventBuses", std::move(buses)}});
}

}  // namespace millrace::tasks
