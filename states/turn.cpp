#include "states/turn.h"

#include "base/random.h"

namespace millrace::states {
namespace {

bool ends_execution(EventType type) {
  return type == EventType::ExecutionSucceeded || type == EventType::ExecutionFailed ||
         type == EventType::ExecutionAborted || type == EventType::ExecutionTimedOut;
}

}  // namespace

void Turn::emit(EventType type, FrameId frame, EventDetails details, std::optional<EventNumber> previous) {
  const Execution& execution = decision_.next;
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
  record(std::move(event));
}

void Turn::emit_entered(EventType type, FrameId frame, definitions::NodeIndex node, EventDetails details) {
  const Execution& execution = decision_.next;
  Event event;
  event.type = type;
  event.number = execution.visible_events + 1;
  event.previous = execution.frames.at(frame).last;
  event.time = environment_.now;
  event.frame = frame;
  event.node = node;
  event.details = std::move(details);
  record(std::move(event));
}

// A step in the middle of its work can't be stopped by a full history: it goes on, and what it made too much
// is dropped when it is done. The copy is made once in an execution's life.
void Turn::record(Event event) {
  Execution& execution = decision_.next;
  if (!room_ && visible(event.type) && event.number >= limits().history_events_max &&
      !ends_execution(event.type)) {
    room_ = Room{execution, decision_.events.size(), decision_.effects.size()};
  }
  evolve(execution, program_, event);
  decision_.events.push_back(std::move(event));
  environment_.seed = mix(seed_, execution.events);
}

void Turn::drop_overflow() {
  if (!room_) return;
  decision_.next = std::move(room_->execution);
  decision_.events.resize(room_->events);
  decision_.effects.resize(room_->effects);
  room_.reset();
}

}  // namespace millrace::states
