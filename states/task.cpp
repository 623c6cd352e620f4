// Task: arguments out, an outcome back; timeouts and missed heartbeats on the way.

#include <algorithm>

#include "base/utf8.h"
#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

using definitions::TaskFamily;

struct TaskEvents {
  EventType scheduled, started, succeeded, failed, timed_out;
};

TaskEvents events_of(TaskFamily family) {
  switch (family) {
    case TaskFamily::Lambda:
      return {EventType::LambdaFunctionScheduled, EventType::LambdaFunctionStarted,
              EventType::LambdaFunctionSucceeded, EventType::LambdaFunctionFailed,
              EventType::LambdaFunctionTimedOut};
    case TaskFamily::Activity:
      return {EventType::ActivityScheduled, EventType::ActivityStarted, EventType::ActivitySucceeded,
              EventType::ActivityFailed, EventType::ActivityTimedOut};
    case TaskFamily::Service:
      break;
  }
  return {EventType::TaskScheduled, EventType::TaskStarted, EventType::TaskSucceeded, EventType::TaskFailed,
          EventType::TaskTimedOut};
}

// arn:aws:states:REGION:…
std::string region_of(std::string_view arn) {
  for (int i = 0; i < 3; ++i) arn.remove_prefix(std::min(arn.size(), arn.find(':') + 1));
  return std::string(arn.substr(0, arn.find(':')));
}

const definitions::Resource& resource_of(const Turn& turn, FrameId id) {
  return std::get<definitions::Task>(turn.node(id).kind).resource;
}

tl::expected<std::optional<std::int64_t>, Failure> by_query(const definitions::Query& query,
                                                            std::string_view name, const Turn& turn,
                                                            FrameId id) {
  MR_TRY(number, whole_number(query, turn, id));
  if (number > 0) return std::optional(number);
  Failure failure{std::string(error_names::kQueryEvaluationError),
                  "The " + std::string(name) + " field is not a positive integer: " + std::to_string(number)};
  failure.location = query.location();
  return tl::unexpected<Failure>(in_state(turn, id, std::move(failure)));
}

// The number a field gives, through its path or expression when it has one.
tl::expected<std::optional<std::int64_t>, Failure> seconds(const definitions::NumberOrPath& field,
                                                           std::string_view name, const Turn& turn,
                                                           FrameId id, const Payload& input) {
  if (field.value) return field.value;
  if (field.query) return by_query(*field.query, name, turn, id);
  if (!field.path) return std::optional<std::int64_t>();
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
  const Outcome value = field.path->evaluate(at.scope);
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  const auto number = value->view().is_number() ? value->view().integer() : std::nullopt;
  if (!number || *number <= 0) {
    Failure failure{std::string(error_names::kRuntime),
                    "The " + std::string(name) + "Path parameter does not reference a positive integer: " +
                        field.path->source() + " == " + std::string(value->text())};
    return tl::unexpected<Failure>(in_state(turn, id, std::move(failure)));
  }
  return std::optional(*number);
}

void schedule(Turn& turn, FrameId id, const definitions::Resource& resource, detail::TaskScheduled details) {
  const TaskEvents types = events_of(resource.family);
  const Payload arguments = details.parameters;
  const auto heartbeat = details.heartbeat_seconds;
  turn.emit(types.scheduled, id, std::move(details));
  // An activity is started by the worker that takes it; everything else is on its way now.
  if (resource.family == TaskFamily::Lambda) turn.emit(types.started, id, std::monostate{});
  if (resource.family == TaskFamily::Service) {
    turn.emit(types.started, id, detail::TaskStarted{resource.resource_type, resource.resource, {}});
  }
  const Frame& frame = turn.frame(id);
  turn.request(effect::StartTask{
      {id, frame.entered, frame.attempt}, &resource, turn.node(id).name, arguments, heartbeat, false});
}

Step failed_with(Turn& turn, FrameId id, EventType type, Failure failure) {
  const definitions::Resource& resource = resource_of(turn, id);
  const bool service = resource.family == TaskFamily::Service;
  turn.emit(
      type, id,
      detail::TaskFailed{service ? resource.resource_type : "", service ? resource.resource : "", failure});
  return step::Failed{std::move(failure)};
}

}  // namespace

Step enter_task(Turn& turn, FrameId id, const definitions::Task& task) {
  Outcome raw = after_input_path(turn, id);
  if (!raw) return step::Failed{raw.error()};
  detail::TaskScheduled details;
  const auto timeout = seconds(task.timeout_seconds, "TimeoutSeconds", turn, id, *raw);
  if (!timeout) return fail_state(turn, id, timeout.error());
  const auto heartbeat = seconds(task.heartbeat_seconds, "HeartbeatSeconds", turn, id, *raw);
  if (!heartbeat) return fail_state(turn, id, heartbeat.error());
  Outcome input = effective_input(turn, id);
  if (!input) return fail_state(turn, id, input.error());
  if (input->size() > turn.limits().payload_bytes_max) {
    Failure failure;
    failure.error = std::string(error_names::kDataLimitExceeded);
    failure.cause = "The state/task '" + turn.node(id).name +
                    "' provided parameters with a size exceeding the maximum number of bytes service limit.";
    return step::Failed{std::move(failure)};
  }
  if (task.credentials) {
    Outcome credentials = apply_template(*task.credentials, *raw, turn, id);
    if (!credentials) return fail_state(turn, id, credentials.error());
    details.credentials = std::move(*credentials);
  }
  const Surroundings* surroundings = turn.environment().surroundings;
  if (task.resource.family == TaskFamily::Activity && surroundings &&
      !surroundings->activity_exists(task.resource.arn)) {
    Failure failure;
    failure.error = std::string(error_names::kRuntime);
    failure.cause = "The activity " + task.resource.arn + " does not exist.";
    return step::Failed{in_state(turn, id, std::move(failure))};
  }
  const bool service = task.resource.family == TaskFamily::Service;
  details.resource_type = service ? task.resource.resource_type : "";
  details.resource = service ? task.resource.resource : task.resource.arn;
  details.region = service ? region_of(turn.execution().identity.machine_arn) : "";
  details.parameters = std::move(*input);
  details.timeout_seconds = *timeout;
  details.heartbeat_seconds = *heartbeat;
  schedule(turn, id, task.resource, std::move(details));
  return step::Waits{};
}

Step task_started(Turn& turn, FrameId id, const std::string& worker) {
  if (resource_of(turn, id).family == TaskFamily::Activity)
    turn.emit(EventType::ActivityStarted, id, detail::TaskStarted{{}, {}, worker});
  return step::Waits{};
}

Step task_submitted(Turn& turn, FrameId id, const Payload& output) {
  const definitions::Resource& resource = resource_of(turn, id);
  if (resource.family == TaskFamily::Service) {
    turn.emit(EventType::TaskSubmitted, id,
              detail::TaskOutput{resource.resource_type, resource.resource, output});
  }
  return step::Waits{};
}

Step task_reported(Turn& turn, FrameId id, const Outcome& outcome) {
  const definitions::Resource& resource = resource_of(turn, id);
  const TaskEvents types = events_of(resource.family);
  if (!outcome) {
    Failure failure = outcome.error();
    failure.error = std::string(first_code_points(failure.error, turn.limits().error_characters_max));
    failure.cause = std::string(first_code_points(failure.cause, turn.limits().cause_characters_max));
    return failed_with(turn, id, types.failed, std::move(failure));
  }
  if (outcome->size() > turn.limits().payload_bytes_max) {
    // What the history names is the service or the function, not the state.
    Failure failure;
    failure.error = std::string(error_names::kDataLimitExceeded);
    failure.cause = "The state/task '" +
                    (resource.family == TaskFamily::Service ? resource.resource_type : resource.arn) +
                    "' returned a result with a size exceeding the maximum number of bytes service limit.";
    return failed_with(turn, id, types.failed, std::move(failure));
  }
  const bool service = resource.family == TaskFamily::Service;
  turn.emit(
      types.succeeded, id,
      detail::TaskOutput{service ? resource.resource_type : "", service ? resource.resource : "", *outcome});
  return complete(turn, id, *outcome);
}

Step task_timed_out(Turn& turn, FrameId id, std::string_view error) {
  Failure failure;
  failure.error = std::string(error);
  failure.has_cause = false;
  const Frame& frame = turn.frame(id);
  turn.request(effect::CancelTask{{id, frame.entered, frame.attempt}});
  return failed_with(turn, id, events_of(resource_of(turn, id).family).timed_out, std::move(failure));
}

}  // namespace millrace::states
