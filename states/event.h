#pragma once
// Events: what is so. An execution's history is its only truth: `evolve` folds events into an Execution, and
// what AWS shows as the execution history is the visible part of this log. Hidden events and fields carry
// facts that AWS keeps to itself (when a retry is due, the output of a branch). Types and detail fields are
// AWS's (GetExecutionHistory).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/failure.h"
#include "base/id.h"
#include "base/payload.h"
#include "base/time.h"
#include "definitions/nodes.h"

namespace millrace::states {

using definitions::NodeIndex;

// Numbers are stored: append new types at the end of their block, never renumber.
enum class EventType : std::uint8_t {
  ExecutionStarted = 1,
  ExecutionSucceeded,
  ExecutionFailed,
  ExecutionAborted,
  ExecutionTimedOut,
  ExecutionRedriven,
  PassStateEntered = 10,
  PassStateExited,
  ChoiceStateEntered,
  ChoiceStateExited,
  WaitStateEntered,
  WaitStateExited,
  WaitStateAborted,
  SucceedStateEntered,
  SucceedStateExited,
  FailStateEntered,
  TaskStateEntered,
  TaskStateExited,
  TaskStateAborted,
  TaskScheduled = 30,
  TaskStarted,
  TaskStartFailed,
  TaskSubmitted,
  TaskSubmitFailed,
  TaskSucceeded,
  TaskFailed,
  TaskTimedOut,
  LambdaFunctionScheduled = 40,
  LambdaFunctionScheduleFailed,
  LambdaFunctionStarted,
  LambdaFunctionStartFailed,
  LambdaFunctionSucceeded,
  LambdaFunctionFailed,
  LambdaFunctionTimedOut,
  ActivityScheduled = 50,
  ActivityScheduleFailed,
  ActivityStarted,
  ActivitySucceeded,
  ActivityFailed,
  ActivityTimedOut,
  ParallelStateEntered = 60,
  ParallelStateStarted,
  ParallelStateSucceeded,
  ParallelStateFailed,
  ParallelStateAborted,
  ParallelStateExited,
  MapStateEntered = 70,
  MapStateStarted,
  MapStateSucceeded,
  MapStateFailed,
  MapStateAborted,
  MapStateExited,
  MapIterationStarted,
  MapIterationSucceeded,
  MapIterationFailed,
  MapIterationAborted,
  MapRunStarted = 90,
  MapRunSucceeded,
  MapRunFailed,
  MapRunAborted,
  MapRunRedriven,
  EvaluationFailed = 100,
  // Hidden from here on.
  WaitScheduled = 200,
  RetryScheduled,
  BranchSucceeded,
};
std::string_view name_of(EventType type);  // "PassStateEntered"
inline bool visible(EventType type) {
  return static_cast<std::uint8_t>(type) < 200;
}

// Who and what an execution is; part of its first event, so that the history alone can rebuild it.
struct ExecutionIdentity {
  std::string arn;  // arn:aws:states:R:A:execution:MACHINE:NAME
  std::string name;
  std::string machine_arn;
  std::string machine_name;
  std::string role_arn;
  // An Express execution's five minutes, beside what its definition says. Not stored, as it is not.
  std::optional<std::int64_t> seconds_max = {};
  std::string version_arn = {}, alias_arn = {};  // that it was started by; may be empty
  bool operator==(const ExecutionIdentity&) const = default;
};

namespace detail {
struct ExecutionStarted {
  ExecutionIdentity identity;
  Payload input;
  bool operator==(const ExecutionStarted&) const = default;
};
struct ExecutionSucceeded {
  Payload output;
  bool operator==(const ExecutionSucceeded&) const = default;
};
// ExecutionFailed, ExecutionAborted, ExecutionTimedOut, MapRunFailed
struct Failed {
  Failure failure;
  bool operator==(const Failed&) const = default;
};
// Every …StateEntered
struct StateEntered {
  std::string name;
  Payload input;
  bool operator==(const StateEntered&) const = default;
};
// Every …StateExited. `assigned` is an object of the variables set, when there are any.
struct StateExited {
  std::string name;
  Payload output;
  std::optional<Payload> assigned = {};
  bool operator==(const StateExited&) const = default;
};
// TaskScheduled, LambdaFunctionScheduled, ActivityScheduled. For functions and activities `resource` is the
// ARN, type and region are empty, and `parameters` is shown as `input`.
struct TaskScheduled {
  std::string resource_type, resource, region;
  Payload parameters;
  std::optional<std::int64_t> timeout_seconds = {}, heartbeat_seconds = {};
  std::optional<Payload> credentials = {};
  bool operator==(const TaskScheduled&) const = default;
};
// TaskStarted (type and resource), ActivityStarted (worker), LambdaFunctionStarted (nothing)
struct TaskStarted {
  std::string resource_type, resource, worker;
  bool operator==(const TaskStarted&) const = default;
};
// TaskSubmitted, TaskSucceeded, LambdaFunctionSucceeded, ActivitySucceeded
struct TaskOutput {
  std::string resource_type, resource;
  Payload output;
  bool operator==(const TaskOutput&) const = default;
};
// TaskFailed, TaskTimedOut, TaskStartFailed, TaskSubmitFailed, LambdaFunction…Failed/TimedOut,
// Activity…Failed/TimedOut
struct TaskFailed {
  std::string resource_type, resource;
  Failure failure;
  bool operator==(const TaskFailed&) const = default;
};
struct EvaluationFailed {
  Failure failure;
  std::string location, state;
  bool operator==(const EvaluationFailed&) const = default;
};
// ParallelStateStarted; the branches' input is hidden
struct ParallelStarted {
  Payload input;
  bool operator==(const ParallelStarted&) const = default;
};
// MapStateStarted; the items are hidden, as is the concurrency that MaxConcurrency came to
struct MapStarted {
  std::uint32_t length = 0;
  Payload items;
  std::uint32_t concurrency = 0;
  bool operator==(const MapStarted&) const = default;
};
// MapIterationStarted; the iteration's input is hidden
struct IterationStarted {
  std::string name;
  std::uint32_t index = 0;
  Payload input;
  bool operator==(const IterationStarted&) const = default;
};
// MapIterationSucceeded (output hidden), MapIterationFailed, MapIterationAborted
struct IterationEnded {
  std::string name;
  std::uint32_t index = 0;
  std::optional<Payload> output = {};
  bool operator==(const IterationEnded&) const = default;
};
// Hidden: a Wait state waits until `due`
struct WaitScheduled {
  Instant due;
  bool operator==(const WaitScheduled&) const = default;
};
// Hidden: retrier number `retrier` answers the failure; the next attempt starts at `due`
struct RetryScheduled {
  std::uint32_t retrier = 0;
  Instant due;
  bool operator==(const RetryScheduled&) const = default;
};
// Follows the event that had ended the execution; what had failed goes on
struct ExecutionRedriven {
  std::uint32_t redrive_count = 0;  // 1, 2, …
  std::string client_token = {};    // hidden; of the call that asked for it, may be empty
  bool operator==(const ExecutionRedriven&) const = default;
};
// Hidden: a branch of a Parallel came to its end
struct BranchSucceeded {
  Payload output;
  bool operator==(const BranchSucceeded&) const = default;
};
// The plan (MapRunPlan) and the items are hidden; `items` is null when they are read
struct MapRunStarted {
  std::string map_run_arn;
  Payload plan, items;
  bool operator==(const MapRunStarted&) const = default;
};
struct MapRunRedriven {
  std::string map_run_arn;
  std::uint32_t redrive_count = 0;
  bool operator==(const MapRunRedriven&) const = default;
};
}  // namespace detail

using EventDetails =
    std::variant<std::monostate, detail::ExecutionStarted, detail::ExecutionSucceeded, detail::Failed,
                 detail::StateEntered, detail::StateExited, detail::TaskScheduled, detail::TaskStarted,
                 detail::TaskOutput, detail::TaskFailed, detail::EvaluationFailed, detail::ParallelStarted,
                 detail::MapStarted, detail::IterationStarted, detail::IterationEnded, detail::WaitScheduled,
                 detail::RetryScheduled, detail::BranchSucceeded, detail::MapRunStarted,
                 detail::MapRunRedriven, detail::ExecutionRedriven>;

using EventNumber = std::uint64_t;

struct Event {
  EventType type = EventType::ExecutionStarted;
  EventNumber number =
      0;  // 1, 2, … among the visible ones; a hidden event has the number of the visible one before it
  EventNumber previous = 0;  // previousEventId, as AWS counts it
  Instant time;
  FrameId frame;       // the line of control it belongs to; the root is 1, the execution itself 0
  NodeIndex node = 0;  // of the frame's program, for events of a state
  EventDetails details;
  bool operator==(const Event&) const = default;
};

}  // namespace millrace::states
