#pragma once
// Execution: where an execution stands: the fold of its events. A tree of frames (lines of control): the
// root, one per Parallel branch, one per inline Map iteration. Nothing in it that is not in its events; only
// evolve() changes it.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "definitions/program.h"
#include "states/event.h"

namespace millrace::states {

using definitions::Program;

enum class ExecutionStatus : std::uint8_t { Running, Succeeded, Failed, TimedOut, Aborted };
std::string_view name_of(ExecutionStatus status);  // "RUNNING", …

// What a frame waits for. Exactly one alternative. Nothing: it can run on, because a decision is being made
// or the last one was long enough (Limits::decision_events_max); then it has just entered its state, or is
// new.
namespace waiting {
struct Nothing {
  bool operator==(const Nothing&) const = default;
};
// A task attempt is out.
struct ForTask {
  Payload arguments;
  std::optional<Instant> deadline;  // of TimeoutSeconds
  std::optional<std::int64_t> heartbeat_seconds;
  bool started = false;    // by an activity's worker
  bool submitted = false;  // the job exists, or the token is out
  bool operator==(const ForTask&) const = default;
};
struct ForTime {
  Instant due;
  bool operator==(const ForTime&) const = default;
};  // a Wait state
struct ForRetry {
  Instant due;
  bool operator==(const ForRetry&) const = default;
};  // the next attempt of a state
// The branches of a Parallel state: children in branch order; a finished branch has its output here and no
// frame.
struct ForBranches {
  std::vector<FrameId> children;
  std::vector<std::optional<Payload>> outputs;
  bool operator==(const ForBranches&) const = default;
};
// The iterations of an inline Map.
struct ForItems {
  Payload items;
  std::uint32_t length = 0, concurrency = 0;
  std::uint32_t next_index = 0;                 // the next item to start
  std::map<std::uint32_t, FrameId> running;     // by index
  std::vector<std::optional<Payload>> outputs;  // by index
  bool operator==(const ForItems&) const = default;
};
// The map run of a distributed Map.
struct ForMapRun {
  std::string arn;
  Payload plan, items;
  std::uint32_t redrives = 0;
  bool operator==(const ForMapRun&) const = default;
};
}  // namespace waiting
using Waiting = std::variant<waiting::Nothing, waiting::ForTask, waiting::ForTime, waiting::ForRetry,
                             waiting::ForBranches, waiting::ForItems, waiting::ForMapRun>;

struct Frame {
  FrameId id;
  FrameId parent;                    // 0 for the root
  std::uint32_t index = 0;           // branch or iteration number
  const Program* program = nullptr;  // borrowed from the root Program
  NodeIndex node = 0;                // the state it is in
  Payload data;                      // the state's raw input; between states, the output of the last one
  EventNumber entered =
      0;  // number of the …StateEntered event: "(entered at the event id #N)"; also the visit
  Instant entered_time;
  EventNumber entered_from = 0;             // the event that the …StateEntered followed
  EventNumber last = 0;                     // previousEventId of the frame's next event
  std::uint32_t attempt = 0;                // $$.State.RetryCount of this visit
  std::vector<std::uint32_t> retry_counts;  // per retrier of the state, of this visit; empty: all 0
  Waiting waiting;
  // Assigned in the frame's States. What its own frame does not have is looked up in the frames above.
  definitions::VariableMap variables;
  bool operator==(const Frame&) const = default;
};

struct Execution {
  ExecutionIdentity identity;
  ExecutionStatus status = ExecutionStatus::Running;
  Payload input;
  Instant started;
  std::optional<Instant> stopped;
  std::optional<Payload> output;   // when Succeeded
  std::optional<Failure> failure;  // when Failed, TimedOut or Aborted
  EventNumber visible_events = 0;  // number of the last visible event
  std::uint64_t events = 0;        // all events folded so far, hidden ones too: what the store counts
  std::uint64_t frames_made = 0;
  std::map<FrameId, Frame> frames;  // live ones; the root is frame 1
  // What a failure took down, as it stood: forks with their unfinished branches and iterations. Kept until
  // the failure is answered; in an execution that did not succeed, all that a redrive goes on from.
  std::map<FrameId, Frame> fallen;
  std::uint32_t redrives = 0;
  std::optional<Instant> redriven;  // when last
  // TestState alone, and in no event: the context object handed in, shown instead of what the events say.
  std::optional<Payload> context;
  definitions::VariableMap given_variables;  // the same of variables: what the outermost States are in
  bool operator==(const Execution&) const = default;

  bool ended() const { return status != ExecutionStatus::Running; }
};

// All invariants of an execution in one place; the message of the first that is broken, or empty. Runs after
// every decision in tests and simulation.
std::string check_consistent(const Execution& execution, const Program& program);

}  // namespace millrace::states
