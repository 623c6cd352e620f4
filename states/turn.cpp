#include "states/turn.h"

namespace millrace::states {

void Turn::emit(EventType type, FrameId frame, EventDetails details, std::optional<EventNumber> previous) {
  Execution& execution = decision_.next;
  Event event;
  event.type = type;
  event.number = execution.visible_events + (visible(type) ? 1 : 0);
  event.time = environment_.now;
  event.frame = frame;
  if (const auto it = execution.frames.find(frame); it != execution.frames.end()) {
    event.node = it->second.node;
    event.previous = it->second.last;
  }
  if (previous) event.previous = *previous;
  event.details = std::move(details);
  evolve(execution, program_, event);
  decision_.events.push_back(std::move(event));
}

void Turn::emit_entered(EventType type, FrameId frame, definitions::NodeIndex node, EventDetails details) {
  Execution& execution = decision_.next;
  Event event;
  event.type = type;
  event.number = execution.visible_events + 1;
  event.previous = execution.frames.at(frame).last;
  event.time = environment_.now;
  event.frame = frame;
  event.node = node;
  event.details = std::move(details);
  evolve(execution, program_, event);
  decision_.events.push_back(std::move(event));
}

}  // namespace millrace::states
