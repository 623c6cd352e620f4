#include "simulation/trace.h"

namespace millrace::simulation {

using states::EventType;

void Trace::know_line(FrameId frame) {
  if (frame.value == 0 || lines_.contains(frame)) return;
  const auto found = execution_.frames.find(frame);
  if (found == execution_.frames.end()) return;
  Line line = line_;
  const FrameId parent = found->second.parent;
  if (parent.value != 0) {
    know_line(parent);
    line.index = found->second.index;
    const states::Frame& above = execution_.frames.at(parent);
    const std::string& outer = lines_.at(parent).label;
    line.label = (outer.empty() ? "" : outer + "/") + above.program->node(above.node).name + "[" +
                 std::to_string(line.index) + "]";
  }
  lines_.emplace(frame, std::move(line));
}

const Line* Trace::line(FrameId frame) const {
  const auto found = lines_.find(frame);
  return found == lines_.end() ? nullptr : &found->second;
}

void Trace::enter(const states::Event& event, const std::string& name) {
  leave(event.frame, event.time, true);
  Line& line = lines_.at(event.frame);
  line.path.push_back(name);
  open_[event.frame] = visits_.size();
  visits_.push_back({name, line.label, event.time, {}, 0, 0, false});
}

void Trace::leave(FrameId frame, Instant when, bool failed) {
  const auto open = open_.find(frame);
  if (open == open_.end()) return;
  visits_[open->second].left = when;
  visits_[open->second].failed = failed;
  open_.erase(open);
}

void Trace::add(const states::Event& event) {
  states::evolve(execution_, *program_, event);
  events_.push_back(event);
  for (const auto& [id, frame] : execution_.frames) know_line(id);
  if (const auto* entered = std::get_if<states::detail::StateEntered>(&event.details)) {
    if (lines_.contains(event.frame)) enter(event, entered->name);
  } else if (std::holds_alternative<states::detail::StateExited>(event.details)) {
    leave(event.frame, event.time, false);
  }
  if (const auto open = open_.find(event.frame); open != open_.end()) {
    Visit& visit = visits_[open->second];
    visit.attempts += std::holds_alternative<states::detail::TaskScheduled>(event.details);
    visit.retries += std::holds_alternative<states::detail::RetryScheduled>(event.details);
  }
  // Lines that are gone have left the state they were in.
  for (auto at = open_.begin(); at != open_.end();) {
    const FrameId frame = (at++)->first;
    if (!execution_.frames.contains(frame)) leave(frame, event.time, true);
  }
}

Millis Trace::duration() const {
  if (events_.empty()) return Millis(0);
  return events_.back().time - events_.front().time;
}

}  // namespace millrace::simulation
