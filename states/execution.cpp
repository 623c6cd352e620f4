#include "states/execution.h"

namespace millrace::states {
namespace {

std::string about(const Frame& frame, std::string_view what) {
  return "frame " + std::to_string(frame.id.value) + ": " + std::string(what);
}

// The child a parent's fork says it has.
bool parent_knows(const Frame& parent, const Frame& child) {
  if (const auto* branches = std::get_if<waiting::ForBranches>(&parent.waiting)) {
    return child.index < branches->children.size() && branches->children[child.index] == child.id &&
           !branches->outputs[child.index];
  }
  if (const auto* items = std::get_if<waiting::ForItems>(&parent.waiting)) {
    const auto it = items->running.find(child.index);
    return it != items->running.end() && it->second == child.id;
  }
  return false;
}

}  // namespace

std::string_view name_of(ExecutionStatus status) {
  switch (status) {
    case ExecutionStatus::Running:
      return "RUNNING";
    case ExecutionStatus::Succeeded:
      return "SUCCEEDED";
    case ExecutionStatus::Failed:
      return "FAILED";
    case ExecutionStatus::TimedOut:
      return "TIMED_OUT";
    case ExecutionStatus::Aborted:
      return "ABORTED";
  }
  return "RUNNING";
}

std::string check_consistent(const Execution& execution, const Program& program) {
  if (execution.events == 0) return execution.frames.empty() ? "" : "frames without an event";
  if (execution.ended()) {
    if (!execution.frames.empty()) return "an ended execution has frames";
    if (!execution.stopped) return "an ended execution has no stop time";
    const bool succeeded = execution.status == ExecutionStatus::Succeeded;
    if (succeeded == execution.fallen.contains(FrameId{1}))
      return "a failed execution keeps its frames for a redrive, a succeeded one none";
    if ((execution.status == ExecutionStatus::Succeeded) != execution.output.has_value())
      return "output and status disagree";
    if ((execution.status == ExecutionStatus::Succeeded) == execution.failure.has_value())
      return "failure and status disagree";
    return "";
  }
  if (execution.visible_events > execution.events) return "more visible events than events";
  if (!execution.fallen.empty()) return "a running execution with fallen frames";
  if (!execution.frames.contains(FrameId{1})) return "a running execution without its root frame";
  for (const auto& [id, frame] : execution.frames) {
    if (frame.id != id || id.value > execution.frames_made) return about(frame, "its id is wrong");
    if (!frame.program) return about(frame, "no program");
    if (frame.node >= frame.program->nodes.size()) return about(frame, "its state does not exist");
    if (std::holds_alternative<waiting::Nothing>(frame.waiting) && frame.last != frame.entered &&
        frame.entered != 0)
      return about(frame, "waits for nothing, though not at the entry of a state");
    if (id == FrameId{1}) {
      if (frame.program != &program || frame.parent.value != 0)
        return about(frame, "the root is not the root");
      continue;
    }
    const auto parent = execution.frames.find(frame.parent);
    if (parent == execution.frames.end()) return about(frame, "its parent is gone");
    if (!parent_knows(parent->second, frame)) return about(frame, "its parent does not wait for it");
  }
  return "";
}

}  // namespace millrace::states
