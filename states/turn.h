#pragma once
// Turn: a decision in the making, the only mutable object of the core. emit() evolves the execution and
// records the event, so the state is the fold of the events by construction; request() asks for an effect.
// Pointers to frames do not outlive an emit(): look them up again by id.

#include <deque>
#include <optional>

#include "base/environment.h"
#include "states/decide.h"
#include "states/inspection.h"

namespace millrace::states {

class Turn {
 public:
  Turn(const Program& program, Execution execution, const Environment& environment)
      : program_(program), environment_(environment), seed_(environment.seed) {
    environment_.draws = 0;  // the same stimulus decides the same
    decision_.next = std::move(execution);
  }

  const Program& program() const { return program_; }
  // Its seed is another one after every event: what two states draw in one decision differs.
  const Environment& environment() const { return environment_; }
  const Limits& limits() const { return *environment_.limits; }
  const Execution& execution() const { return decision_.next; }
  const Frame& frame(FrameId id) const { return decision_.next.frames.at(id); }
  bool has_frame(FrameId id) const { return decision_.next.frames.contains(id); }
  const definitions::Node& node(FrameId id) const {
    const Frame& f = frame(id);
    return f.program->node(f.node);
  }
  bool ended() const { return decision_.next.ended(); }
  // Whether this decision is long enough: what could still run goes on with the next one.
  bool spent() const { return decision_.events.size() >= limits().decision_events_max; }
  // Whether the history had no room for the last events: they must not stay (drop_overflow).
  bool full() const { return room_.has_value(); }
  // Back to the last event that left room for the one that ends the execution.
  void drop_overflow();

  // The event follows the frame's last one unless `previous` is given.
  void emit(EventType type, FrameId frame, EventDetails details, std::optional<EventNumber> previous = {});
  // The same for the entry of a state, which is what moves a frame to another node.
  void emit_entered(EventType type, FrameId frame, definitions::NodeIndex node, EventDetails details);
  void request(Effect effect) { decision_.effects.push_back(std::move(effect)); }

  // Lets `inspection`, borrowed, see what the state's data comes to.
  void inspect(Inspection* inspection) { inspection_ = inspection; }
  bool inspected() const { return inspection_ != nullptr; }
  void note(Stage stage, const Payload& value) const {
    if (inspection_) inspection_->noted[static_cast<std::size_t>(stage)] = value;
  }

  void note_rule(std::size_t index) const {
    if (inspection_) inspection_->choice_rule = index;
  }

  // Frames that were made or woken and have to run on; the oldest first.
  std::deque<FrameId> runnable;

  // What came of it so far.
  const std::vector<Event>& events() const { return decision_.events; }
  const std::vector<Effect>& effects() const { return decision_.effects; }

  Decision finish() && { return std::move(decision_); }

 private:
  // What there was when the history had room for one more event.
  struct Room {
    Execution execution;
    std::size_t events = 0, effects = 0;
  };
  void record(Event event);

  const Program& program_;
  Environment environment_;
  const std::uint64_t seed_;
  Decision decision_;
  std::optional<Room> room_;
  Inspection* inspection_ = nullptr;
};

}  // namespace millrace::states
