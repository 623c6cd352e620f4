#include "states/decide.h"

#include <utility>

#include "states/behaviour.h"
#include "states/data_flow.h"
#include "states/distributed_map.h"
#include "states/retry.h"

namespace millrace::states {
namespace {

using definitions::kEnd;
using definitions::StateType;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

EventType exited_event(StateType type) {
  switch (type) {
    case StateType::Pass:
      return EventType::PassStateExited;
    case StateType::Task:
      return EventType::TaskStateExited;
    case StateType::Choice:
      return EventType::ChoiceStateExited;
    case StateType::Wait:
      return EventType::WaitStateExited;
    case StateType::Parallel:
      return EventType::ParallelStateExited;
    case StateType::Map:
      return EventType::MapStateExited;
    case StateType::Succeed:
      return EventType::SucceedStateExited;
    case StateType::Fail:
      break;
  }
  return EventType::PassStateExited;
}

std::optional<EventType> aborted_event(StateType type) {
  switch (type) {
    case StateType::Task:
      return EventType::TaskStateAborted;
    case StateType::Wait:
      return EventType::WaitStateAborted;
    case StateType::Parallel:
      return EventType::ParallelStateAborted;
    case StateType::Map:
      return EventType::MapStateAborted;
    default:
      return std::nullopt;
  }
}

void abort_frame(Turn& turn, FrameId id) {
  abort_children(turn, id);
  const Frame& frame = turn.frame(id);
  if (std::holds_alternative<waiting::ForTask>(frame.waiting)) {
    turn.request(effect::CancelTask{{id, frame.entered, frame.attempt}});
  }
  if (std::holds_alternative<waiting::ForMapRun>(frame.waiting)) {
    turn.request(effect::StopMapRun{{id, frame.entered, frame.attempt}});
    turn.emit(EventType::MapRunAborted, id, std::monostate{});
  }
  // A frame that has not entered its first state yet has nothing to show.
  if (frame.entered == 0) return;
  if (const auto type = aborted_event(turn.node(id).type())) turn.emit(*type, id, std::monostate{});
}

void end_execution(Turn& turn, EventType type, Failure failure, EventNumber previous) {
  for (const auto& task : outstanding(turn.execution(), turn.program()))
    turn.request(effect::CancelTask{task.task});
  for (const auto& run : outstanding_map_runs(turn.execution())) turn.request(effect::StopMapRun{run.task});
  turn.emit(type, FrameId{0}, detail::Failed{std::move(failure)}, previous);
}

// The last event that a history has room for is the one that ends the execution; AWS's has 25,000.
void fail_full_history(Turn& turn) {
  turn.drop_overflow();
  Failure failure;
  failure.error = std::string(error_names::kRuntime);
  failure.cause = "The execution reached the maximum number of history events (" +
                  std::to_string(turn.limits().history_events_max) + ").";
  end_execution(turn, EventType::ExecutionFailed, std::move(failure), turn.execution().visible_events);
}

// What a fork shows when it fails for good: …StateFailed, which a caught or uncaught failure follows.
void show_fork_failed(Turn& turn, FrameId id, const step::Failed& failed) {
  const Frame& frame = turn.frame(id);
  const StateType type = turn.node(id).type();
  const bool branches = std::holds_alternative<waiting::ForBranches>(frame.waiting) ||
                        (failed.fork && type == StateType::Parallel);
  const bool items = std::holds_alternative<waiting::ForItems>(frame.waiting) ||
                     std::holds_alternative<waiting::ForMapRun>(frame.waiting) ||
                     (failed.fork && type == StateType::Map);
  if (branches) turn.emit(EventType::ParallelStateFailed, id, std::monostate{}, failed.after);
  if (items) turn.emit(EventType::MapStateFailed, id, std::monostate{}, failed.after);
}

// Retry, Catch, or give the failure on (then the step is Failed again, and not to be answered in this frame).
Step answer_failure(Turn& turn, FrameId id, step::Failed failed) {
  const Frame& frame = turn.frame(id);
  RetryDecision decision = Propagate{};
  if (failed.may_be_answered) {
    decision = answer(turn.node(id).errors, frame.retry_counts, failed.failure, turn.environment());
  }
  if (const auto* retry = std::get_if<RetryAfter>(&decision)) {
    turn.emit(EventType::RetryScheduled, id,
              detail::RetryScheduled{retry->retrier, turn.environment().now + retry->delay}, failed.after);
    if (retry->delay <= Millis(0)) return enter(turn, id);
    return step::Waits{};
  }
  show_fork_failed(turn, id, failed);
  if (const auto* caught = std::get_if<CatchAt>(&decision)) {
    return catch_failure(turn, id, turn.node(id).errors.catchers[caught->catcher], failed.failure);
  }
  failed.may_be_answered = false;
  return failed;
}

// A frame has ended or failed; what does that mean for the frame above it?
Step tell_parent(Turn& turn, FrameId child, const Step& how) {
  const FrameId parent = turn.frame(child).parent;
  const bool parallel = std::holds_alternative<waiting::ForBranches>(turn.frame(parent).waiting);
  if (const auto* ended = std::get_if<step::Ended>(&how)) {
    return parallel ? branch_ended(turn, parent, child, ended->output)
                    : iteration_ended(turn, parent, child, ended->output);
  }
  const auto& failed = std::get<step::Failed>(how);
  const EventNumber last = turn.frame(child).last;
  if (!parallel) iteration_failed(turn, parent, child);
  abort_children(turn, parent);
  return step::Failed{failed.failure, true, last};
}

void end_root(Turn& turn, const Step& how) {
  const EventNumber last = turn.frame(FrameId{1}).last;
  if (const auto* ended = std::get_if<step::Ended>(&how)) {
    turn.emit(EventType::ExecutionSucceeded, FrameId{0}, detail::ExecutionSucceeded{ended->output}, last);
  } else {
    end_execution(turn, EventType::ExecutionFailed, std::get<step::Failed>(how).failure, last);
  }
}

// Follows one frame from step to step, and up to its parents, until something waits.
void follow(Turn& turn, FrameId id, Step how) {
  while (!turn.ended()) {
    if (turn.full()) return fail_full_history(turn);
    if (std::holds_alternative<step::Waits>(how)) return;
    if (const auto* next = std::get_if<step::Next>(&how)) {
      if (next->to == kEnd) {
        how = step::Ended{turn.frame(id).data};
        continue;
      }
      const definitions::Node& node = turn.frame(id).program->node(next->to);
      turn.emit_entered(entered_event(node.type()), id, next->to,
                        detail::StateEntered{node.name, turn.frame(id).data});
      how = turn.spent() ? Step{step::Waits{}} : enter(turn, id);
      continue;
    }
    if (auto* failed = std::get_if<step::Failed>(&how); failed && failed->may_be_answered) {
      how = answer_failure(turn, id, std::move(*failed));
      continue;
    }
    if (turn.frame(id).parent.value == 0) return end_root(turn, how);
    const FrameId parent = turn.frame(id).parent;
    how = tell_parent(turn, id, how);
    id = parent;
  }
}

// Runs what is runnable, until the decision is long enough: frames that a fork made begin at their program's
// start, one that a long decision left at the entry of a state goes on from there.
void drain(Turn& turn) {
  while (!turn.runnable.empty() && !turn.ended() && !turn.spent()) {
    const FrameId id = turn.runnable.front();
    turn.runnable.pop_front();
    if (!turn.has_frame(id)) continue;
    const Frame& frame = turn.frame(id);
    follow(turn, id, frame.entered == 0 ? Step{step::Next{frame.program->start}} : enter(turn, id));
  }
}

void advance(Turn& turn, FrameId id, Step how) {
  follow(turn, id, std::move(how));
  drain(turn);
}

// The frame that still waits for this very attempt; nothing when the report is late.
bool awaited(const Turn& turn, const TaskAttempt& task) {
  if (!turn.has_frame(task.frame)) return false;
  const Frame& frame = turn.frame(task.frame);
  return frame.entered == task.visit && frame.attempt == task.attempt &&
         std::holds_alternative<waiting::ForTask>(frame.waiting);
}

bool awaits_map_run(const Turn& turn, const TaskAttempt& task) {
  if (!turn.has_frame(task.frame)) return false;
  const Frame& frame = turn.frame(task.frame);
  return frame.entered == task.visit && frame.attempt == task.attempt &&
         std::holds_alternative<waiting::ForMapRun>(frame.waiting);
}

std::optional<Instant> due_of(const Frame& frame) {
  if (const auto* time = std::get_if<waiting::ForTime>(&frame.waiting)) return time->due;
  if (const auto* retry = std::get_if<waiting::ForRetry>(&frame.waiting)) return retry->due;
  if (const auto* task = std::get_if<waiting::ForTask>(&frame.waiting)) return task->deadline;
  return std::nullopt;
}

// A frame that waits for nothing was left by a decision that was long enough.
bool rests(const Frame& frame) {
  return std::holds_alternative<waiting::Nothing>(frame.waiting);
}

std::optional<Instant> deadline_of(const Execution& execution, const Program& program) {
  std::optional<std::int64_t> seconds = program.timeout_seconds;
  const auto& most = execution.identity.seconds_max;
  if (most && (!seconds || *most < *seconds)) seconds = most;
  if (!seconds) return std::nullopt;
  return execution.redriven.value_or(execution.started) + std::chrono::seconds(*seconds);
}

void time_came(Turn& turn) {
  const Instant now = turn.environment().now;
  const auto deadline = deadline_of(turn.execution(), turn.program());
  if (deadline && *deadline <= now) {
    Failure failure;
    failure.has_error = failure.has_cause = false;  // the status says it all
    return end_execution(turn, EventType::ExecutionTimedOut, std::move(failure), 0);
  }
  std::vector<FrameId> due;
  for (const auto& [id, frame] : turn.execution().frames) {
    if (rests(frame)) turn.runnable.push_back(id);  // in the order they would have run in: that of their ids
    if (const auto when = due_of(frame); when && *when <= now) due.push_back(id);
  }
  drain(turn);
  for (const FrameId id : due) {
    if (turn.ended() || turn.spent()) return;  // what is still due is so for the next TimeCame
    if (!turn.has_frame(id)) continue;
    const auto when = due_of(turn.frame(id));
    if (!when || *when > now) continue;
    const Waiting waits = turn.frame(id).waiting;
    if (std::holds_alternative<waiting::ForTime>(waits)) {
      advance(turn, id, resume_wait(turn, id));
    } else if (std::holds_alternative<waiting::ForRetry>(waits)) {
      advance(turn, id, enter(turn, id));
    } else {
      advance(turn, id, task_timed_out(turn, id, error_names::kTimeout));
    }
  }
}

// Whatever had not finished goes on: frames at the entry of their states as after a long decision, Maps with
// the items they had not begun.
void redrive(Turn& turn, const std::string& client_token) {
  turn.emit(EventType::ExecutionRedriven, FrameId{0},
            detail::ExecutionRedriven{turn.execution().redrives + 1, client_token},
            turn.execution().visible_events);
  std::vector<FrameId> maps;
  std::vector<std::pair<FrameId, waiting::ForMapRun>> runs;
  for (const auto& [id, frame] : turn.execution().frames) {
    if (rests(frame)) turn.runnable.push_back(id);
    if (std::holds_alternative<waiting::ForItems>(frame.waiting)) maps.push_back(id);
    if (const auto* run = std::get_if<waiting::ForMapRun>(&frame.waiting)) runs.emplace_back(id, *run);
  }
  for (const auto& [id, run] : runs) redrive_map_run(turn, id, run);
  for (const FrameId id : maps) {
    if (turn.ended()) return;
    if (turn.has_frame(id)) follow(turn, id, go_on_with_items(turn, id));
  }
  drain(turn);
}

}  // namespace

EventType entered_event(definitions::StateType type) {
  switch (type) {
    case StateType::Pass:
      return EventType::PassStateEntered;
    case StateType::Task:
      return EventType::TaskStateEntered;
    case StateType::Choice:
      return EventType::ChoiceStateEntered;
    case StateType::Wait:
      return EventType::WaitStateEntered;
    case StateType::Parallel:
      return EventType::ParallelStateEntered;
    case StateType::Map:
      return EventType::MapStateEntered;
    case StateType::Succeed:
      return EventType::SucceedStateEntered;
    case StateType::Fail:
      return EventType::FailStateEntered;
  }
  return EventType::PassStateEntered;
}

Step enter(Turn& turn, FrameId id) {
  return std::visit(Overloaded{[&](const definitions::Pass& s) { return enter_pass(turn, id, s); },
                               [&](const definitions::Task& s) { return enter_task(turn, id, s); },
                               [&](const definitions::Choice& s) { return enter_choice(turn, id, s); },
                               [&](const definitions::Wait& s) { return enter_wait(turn, id, s); },
                               [&](const definitions::Parallel& s) { return enter_parallel(turn, id, s); },
                               [&](const definitions::Map& s) {
                                 return s.distributed ? enter_distributed_map(turn, id, s)
                                                      : enter_map(turn, id, s);
                               },
                               [&](const definitions::Succeed& s) { return enter_succeed(turn, id, s); },
                               [&](const definitions::Fail& s) { return enter_fail(turn, id, s); }},
                    turn.node(id).kind);
}

step::Failed fail_state(Turn& turn, FrameId id, Failure failure, bool may_be_answered) {
  const std::string location = std::exchange(failure.location, {});
  const definitions::Node& node = turn.node(id);
  if (node.language == definitions::QueryLanguage::JsonAta &&
      failure.error == error_names::kQueryEvaluationError) {
    // As AWS numbers it: at the entry of a state the event follows what the entry followed, but for a Wait.
    const Frame& frame = turn.frame(id);
    std::optional<EventNumber> after;
    if (frame.last == frame.entered && node.type() != StateType::Wait) after = frame.entered_from;
    turn.emit(EventType::EvaluationFailed, id, detail::EvaluationFailed{failure, location, node.name}, after);
  }
  return step::Failed{std::move(failure), may_be_answered};
}

Step complete(Turn& turn, FrameId id, const Payload& result, std::optional<EventNumber> after) {
  auto exit = state_exit(turn, id, result);
  if (!exit) return fail_state(turn, id, exit.error());
  const definitions::Node& node = turn.node(id);
  turn.emit(exited_event(node.type()), id,
            detail::StateExited{node.name, std::move(exit->output), std::move(exit->assigned)}, after);
  return step::Next{node.next};
}

Step catch_failure(Turn& turn, FrameId id, const definitions::Catcher& catcher, const Failure& failure) {
  JsonWriter out;
  out.begin_object();
  if (failure.has_error) out.key("Error").string(failure.error);
  if (failure.has_cause) out.key("Cause").string(failure.cause);
  out.end_object();
  auto exit = catch_exit(turn, id, catcher, out.finish());
  if (!exit) return fail_state(turn, id, exit.error(), false);
  turn.emit(exited_event(turn.node(id).type()), id,
            detail::StateExited{turn.node(id).name, std::move(exit->output), std::move(exit->assigned)});
  return step::Next{catcher.next};
}

void abort_children(Turn& turn, FrameId id) {
  const Frame& frame = turn.frame(id);
  if (const auto* fork = std::get_if<waiting::ForBranches>(&frame.waiting)) {
    const std::vector<FrameId> children = fork->children;
    for (const FrameId child : children) {
      if (turn.has_frame(child)) abort_frame(turn, child);
    }
  } else if (const auto* work = std::get_if<waiting::ForItems>(&frame.waiting)) {
    const std::map<std::uint32_t, FrameId> running = work->running;
    for (const auto& [index, child] : running) {
      abort_frame(turn, child);
      turn.emit(EventType::MapIterationAborted, id, detail::IterationEnded{turn.node(id).name, index, {}},
                turn.frame(child).last);
    }
  }
}

std::vector<effect::StartTask> outstanding(const Execution& execution, const Program&) {
  std::vector<effect::StartTask> tasks;
  for (const auto& [id, frame] : execution.frames) {
    const auto* task = std::get_if<waiting::ForTask>(&frame.waiting);
    if (!task) continue;
    const definitions::Node& node = frame.program->node(frame.node);
    const definitions::Resource& resource = std::get<definitions::Task>(node.kind).resource;
    const bool sent = task->submitted && resource.pattern == definitions::TaskPattern::WaitForTaskToken;
    tasks.push_back({{id, frame.entered, frame.attempt},
                     &resource,
                     node.name,
                     task->arguments,
                     task->heartbeat_seconds,
                     task->started || sent});
  }
  return tasks;
}

std::vector<effect::StartMapRun> outstanding_map_runs(const Execution& execution) {
  std::vector<effect::StartMapRun> runs;
  for (const auto& [id, frame] : execution.frames) {
    if (std::holds_alternative<waiting::ForMapRun>(frame.waiting)) runs.push_back(map_run_of(frame));
  }
  return runs;
}

std::optional<Instant> next_due(const Execution& execution, const Program& program) {
  if (execution.ended()) return std::nullopt;
  std::optional<Instant> first = deadline_of(execution, program);
  for (const auto& [id, frame] : execution.frames) {
    const auto due = rests(frame) ? std::optional(execution.started) : due_of(frame);
    if (due && (!first || *due < *first)) first = due;
  }
  return first;
}

Decision decide(const Program& program, Execution execution, const Stimulus& stimulus,
                const Environment& environment) {
  const bool fresh = execution.events == 0;
  Turn turn(program, std::move(execution), environment);
  std::visit(
      Overloaded{
          [&](const stimulus::Started& s) {
            if (!fresh) return;
            turn.emit(EventType::ExecutionStarted, FrameId{0}, detail::ExecutionStarted{s.identity, s.input});
            advance(turn, FrameId{1}, step::Next{program.start});
          },
          [&](const stimulus::TaskStarted& s) {
            if (awaited(turn, s.task) &&
                !std::get<waiting::ForTask>(turn.frame(s.task.frame).waiting).started) {
              advance(turn, s.task.frame, task_started(turn, s.task.frame, s.worker));
            }
          },
          [&](const stimulus::TaskSubmitted& s) {
            if (awaited(turn, s.task) &&
                !std::get<waiting::ForTask>(turn.frame(s.task.frame).waiting).submitted) {
              advance(turn, s.task.frame, task_submitted(turn, s.task.frame, s.output));
            }
          },
          [&](const stimulus::TaskReported& s) {
            if (awaited(turn, s.task))
              advance(turn, s.task.frame, task_reported(turn, s.task.frame, s.outcome));
          },
          [&](const stimulus::HeartbeatMissed& s) {
            if (awaited(turn, s.task))
              advance(turn, s.task.frame, task_timed_out(turn, s.task.frame, error_names::kHeartbeatTimeout));
          },
          [&](const stimulus::MapRunEnded& s) {
            if (awaits_map_run(turn, s.task))
              advance(turn, s.task.frame, map_run_ended(turn, s.task.frame, s.outcome));
          },
          [&](const stimulus::TimeCame&) {
            if (!fresh && !turn.ended()) time_came(turn);
          },
          [&](const stimulus::RedriveRequested& s) {
            if (turn.ended() && turn.execution().status != ExecutionStatus::Succeeded)
              redrive(turn, s.client_token);
          },
          [&](const stimulus::StopRequested& s) {
            if (!fresh && !turn.ended()) end_execution(turn, EventType::ExecutionAborted, s.reason, 0);
          },
      },
      stimulus);
  return std::move(turn).finish();
}

}  // namespace millrace::states
