// evolve(): one small function per kind of event. Total: an event about a frame that is not there changes
// nothing but the counts, so a history of any age can be folded.

#include <utility>

#include "base/check.h"
#include "states/decide.h"

namespace millrace::states {
namespace {

std::vector<FrameId> children_of(const Frame& frame) {
  std::vector<FrameId> children;
  if (const auto* branches = std::get_if<waiting::ForBranches>(&frame.waiting)) children = branches->children;
  if (const auto* items = std::get_if<waiting::ForItems>(&frame.waiting)) {
    for (const auto& [index, child] : items->running) children.push_back(child);
  }
  return children;
}

// Ends a frame and everything below it.
void remove_tree(Execution& execution, FrameId id) {
  const auto it = execution.frames.find(id);
  if (it == execution.frames.end()) return;
  const std::vector<FrameId> children = children_of(it->second);
  execution.frames.erase(it);
  for (const FrameId child : children) remove_tree(execution, child);
}

void remove_children(Execution& execution, Frame& frame) {
  for (const FrameId child : children_of(frame)) remove_tree(execution, child);
}

// The same for what a failure takes down. What fell first is how it stood.
void fell_tree(Execution& execution, FrameId id) {
  const auto it = execution.frames.find(id);
  if (it == execution.frames.end()) return;
  const std::vector<FrameId> children = children_of(it->second);
  execution.fallen.insert(execution.frames.extract(it));
  for (const FrameId child : children) fell_tree(execution, child);
}

// The fork's own frame lives on, to catch the failure or to give it on.
void fell_fork(Execution& execution, Frame& frame) {
  execution.fallen.emplace(frame.id, frame);
  for (const FrameId child : children_of(frame)) fell_tree(execution, child);
  frame.waiting = waiting::Nothing{};
}

// A fork goes on with what it has not finished; any other state stands at its entry again, which is another
// visit: its tasks are other tasks than those before.
void begin_again(Frame& frame, const Event& event) {
  frame.attempt = 0;
  frame.retry_counts.clear();
  frame.last = event.number;
  if (std::holds_alternative<waiting::ForBranches>(frame.waiting)) return;
  if (auto* work = std::get_if<waiting::ForItems>(&frame.waiting)) {
    work->running.clear();  // and found again by the iterations' own frames
    return;
  }
  // A map run is redriven by an event of its own.
  if (!std::holds_alternative<waiting::ForMapRun>(frame.waiting)) frame.waiting = waiting::Nothing{};
  if (frame.entered == 0) return;
  frame.entered = event.number;
  frame.entered_time = event.time;
  frame.entered_from = event.previous;
}

Frame& add_frame(Execution& execution, FrameId parent, std::uint32_t index, const Program* program,
                 const Payload& data, EventNumber last) {
  const FrameId id{++execution.frames_made};
  Frame& frame = execution.frames[id];
  frame.id = id;
  frame.parent = parent;
  frame.index = index;
  frame.program = program;
  frame.node = program->start;
  frame.data = data;
  frame.last = last;
  return frame;
}

void begin_visit(Frame& frame, const Event& event, const detail::StateEntered& entered) {
  frame.node = event.node;
  frame.data = entered.input;
  frame.entered = event.number;
  frame.entered_from = event.previous;
  frame.entered_time = event.time;
  frame.attempt = 0;
  frame.retry_counts.clear();
  frame.waiting = waiting::Nothing{};
}

void end(Execution& execution, ExecutionStatus status, const Event& event) {
  execution.status = status;
  execution.stopped = event.time;
  if (status == ExecutionStatus::Succeeded) {
    execution.fallen.clear();
  } else {
    execution.fallen.merge(execution.frames);
  }
  execution.frames.clear();
}

struct Fold {
  Execution& execution;
  const Program& program;
  const Event& event;
  Frame* frame;  // null when the frame is not there

  void operator()(const std::monostate&) const {
    switch (event.type) {
      case EventType::ParallelStateSucceeded:
      case EventType::MapStateSucceeded:
        if (frame) {
          remove_children(execution, *frame);
          frame->waiting = waiting::Nothing{};
        }
        return;
      case EventType::ParallelStateFailed:
      case EventType::MapStateFailed:
        if (frame) fell_fork(execution, *frame);
        return;
      default:
        return;
    }
  }
  void operator()(const detail::ExecutionStarted& d) const {
    execution.identity = d.identity;
    execution.input = d.input;
    execution.started = event.time;
    add_frame(execution, FrameId{0}, 0, &program, d.input, 0);
  }
  void operator()(const detail::ExecutionSucceeded& d) const {
    end(execution, ExecutionStatus::Succeeded, event);
    execution.output = d.output;
  }
  void operator()(const detail::Failed& d) const {
    if (event.type == EventType::MapRunFailed) return;
    end(execution,
        event.type == EventType::ExecutionTimedOut  ? ExecutionStatus::TimedOut
        : event.type == EventType::ExecutionAborted ? ExecutionStatus::Aborted
                                                    : ExecutionStatus::Failed,
        event);
    execution.failure = d.failure;
  }
  void operator()(const detail::ExecutionRedriven& d) const {
    execution.status = ExecutionStatus::Running;
    execution.stopped.reset();
    execution.failure.reset();
    execution.redrives = d.redrive_count;
    execution.redriven = event.time;
    execution.frames = std::exchange(execution.fallen, {});
    for (auto& [id, again] : execution.frames) begin_again(again, event);
    for (const auto& [id, again] : execution.frames) {
      const auto parent = execution.frames.find(again.parent);
      if (parent == execution.frames.end()) continue;
      if (auto* work = std::get_if<waiting::ForItems>(&parent->second.waiting))
        work->running[again.index] = id;
    }
  }
  void operator()(const detail::StateEntered& d) const {
    if (frame) begin_visit(*frame, event, d);
  }
  void operator()(const detail::StateExited& d) const {
    if (!frame) return;
    frame->data = d.output;
    frame->waiting = waiting::Nothing{};
    execution.fallen.clear();  // the failure, if there was one, is caught
    if (!d.assigned) return;
    for (const auto [key, value] : d.assigned->view().members())
      frame->variables.insert_or_assign(key.string(), Payload::of(value));
  }
  void operator()(const detail::TaskScheduled& d) const {
    if (!frame) return;
    waiting::ForTask task;
    task.arguments = d.parameters;
    if (d.timeout_seconds) task.deadline = event.time + std::chrono::seconds(*d.timeout_seconds);
    task.heartbeat_seconds = d.heartbeat_seconds;
    frame->waiting = std::move(task);
  }
  void operator()(const detail::TaskStarted&) const {
    if (!frame || event.type != EventType::ActivityStarted) return;
    if (auto* task = std::get_if<waiting::ForTask>(&frame->waiting)) task->started = true;
  }
  void operator()(const detail::TaskOutput&) const {
    if (!frame) return;
    auto* task = std::get_if<waiting::ForTask>(&frame->waiting);
    if (event.type == EventType::TaskSubmitted) {
      if (task) task->submitted = true;
    } else {
      frame->waiting = waiting::Nothing{};
    }
  }
  void operator()(const detail::TaskFailed&) const {
    if (frame) frame->waiting = waiting::Nothing{};
  }
  void operator()(const detail::EvaluationFailed&) const {}
  void operator()(const detail::ParallelStarted& d) const {
    if (!frame) return;
    const auto* parallel = std::get_if<definitions::Parallel>(&frame->program->node(frame->node).kind);
    MR_CHECK(parallel, "ParallelStateStarted in a state that is no Parallel");
    waiting::ForBranches fork;
    const FrameId parent = frame->id;
    for (std::uint32_t i = 0; i < parallel->branches.size(); ++i) {
      fork.children.push_back(
          add_frame(execution, parent, i, parallel->branches[i].get(), d.input, event.number).id);
    }
    fork.outputs.resize(parallel->branches.size());
    execution.frames.at(parent).waiting = std::move(fork);
  }
  void operator()(const detail::MapStarted& d) const {
    if (!frame) return;
    const auto* map = std::get_if<definitions::Map>(&frame->program->node(frame->node).kind);
    if (map && map->distributed) return;  // MapRunStarted follows
    waiting::ForItems work;
    work.items = d.items;
    work.length = d.length;
    work.concurrency = d.concurrency;
    work.outputs.resize(d.length);
    frame->waiting = std::move(work);
  }
  void operator()(const detail::IterationStarted& d) const {
    if (!frame) return;
    const auto* map = std::get_if<definitions::Map>(&frame->program->node(frame->node).kind);
    auto* work = std::get_if<waiting::ForItems>(&frame->waiting);
    MR_CHECK(map && work, "MapIterationStarted in a state that is no running Map");
    const FrameId child =
        add_frame(execution, frame->id, d.index, map->processor.get(), d.input, event.number).id;
    work->running[d.index] = child;
    work->next_index = d.index + 1;
  }
  // These events stand in the Map's frame; the iteration they are about is found by its index.
  void operator()(const detail::IterationEnded& d) const {
    if (!frame) return;
    auto* work = std::get_if<waiting::ForItems>(&frame->waiting);
    if (!work) return;
    const auto it = work->running.find(d.index);
    if (it == work->running.end()) return;
    const auto child = execution.frames.find(it->second);
    const FrameId id = it->second;
    // As AWS numbers it: the end of the Map follows the end of its last iteration, its failure the last event
    // inside.
    if (event.type == EventType::MapIterationSucceeded) {
      frame->last = event.number;
      work->outputs[d.index] = d.output;
    } else if (child != execution.frames.end() && event.type == EventType::MapIterationFailed) {
      frame->last = child->second.last;
    }
    work->running.erase(it);
    if (event.type == EventType::MapIterationSucceeded) {
      remove_tree(execution, id);
    } else {
      fell_tree(execution, id);
    }
  }
  void operator()(const detail::WaitScheduled& d) const {
    if (frame) frame->waiting = waiting::ForTime{d.due};
  }
  void operator()(const detail::RetryScheduled& d) const {
    if (!frame) return;
    remove_children(execution, *frame);
    execution.fallen.clear();
    frame->last = event.previous;  // a fork goes on after the event inside it that failed
    ++frame->attempt;
    if (frame->retry_counts.size() <= d.retrier) frame->retry_counts.resize(d.retrier + 1);
    ++frame->retry_counts[d.retrier];
    frame->waiting = waiting::ForRetry{d.due};
  }
  void operator()(const detail::MapRunStarted& d) const {
    if (frame) frame->waiting = waiting::ForMapRun{d.map_run_arn, d.plan, d.items, 0};
  }
  void operator()(const detail::MapRunRedriven& d) const {
    if (!frame) return;
    if (auto* run = std::get_if<waiting::ForMapRun>(&frame->waiting)) run->redrives = d.redrive_count;
  }
  void operator()(const detail::BranchSucceeded& d) const {
    if (!frame) return;
    const FrameId child = frame->id;
    const std::uint32_t index = frame->index;
    const EventNumber last = frame->last;
    const auto parent = execution.frames.find(frame->parent);
    if (parent == execution.frames.end()) return;
    parent->second.last = last;
    if (auto* fork = std::get_if<waiting::ForBranches>(&parent->second.waiting))
      fork->outputs[index] = d.output;
    remove_tree(execution, child);
  }
};

// Whether the frame's next event follows this one. The end of a fork is passed over: the exit of the state
// follows the last event inside, as AWS numbers it.
bool advances_line(EventType type) {
  switch (type) {
    case EventType::ParallelStateSucceeded:
    case EventType::MapStateSucceeded:
    case EventType::MapIterationStarted:
    case EventType::MapIterationSucceeded:
    case EventType::MapIterationFailed:
    case EventType::MapIterationAborted:
      return false;
    default:
      return visible(type);
  }
}

}  // namespace

void evolve(Execution& execution, const Program& program, const Event& event) {
  ++execution.events;
  if (visible(event.type)) execution.visible_events = event.number;
  const auto it = execution.frames.find(event.frame);
  Frame* frame = it == execution.frames.end() ? nullptr : &it->second;
  if (frame && advances_line(event.type)) frame->last = event.number;
  std::visit(Fold{execution, program, event, frame}, event.details);
}

}  // namespace millrace::states
