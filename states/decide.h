#pragma once
// The pure core: one stimulus in, events and effects out. No clock, no I/O, no randomness that is not handed
// in.

#include <optional>
#include <vector>

#include "base/environment.h"
#include "states/effect.h"
#include "states/execution.h"
#include "states/stimulus.h"

namespace millrace::states {

struct Decision {
  Execution next;               // == fold(evolve, before, events), checked in tests
  std::vector<Event> events;    // in order; to be appended before anything else happens
  std::vector<Effect> effects;  // to be carried out after the events are durable
};

// What happens next: runs every frame until it waits, so a chain of Pass states is one decision; after
// Limits::decision_events_max events it rests, is due at once, and TimeCame lets it go on. Cannot fail: a
// stale stimulus yields no events, a broken invariant stops the process. A new execution is a default
// Execution with Started.
Decision decide(const Program& program, Execution execution, const Stimulus& stimulus,
                const Environment& environment);

// The only code that changes an execution. Total over every event ever written, of every version.
void evolve(Execution& execution, const Program& program, const Event& event);

// Every task the execution waits for now. After a crash this, not a saved list, is carried out again.
std::vector<effect::StartTask> outstanding(const Execution& execution, const Program& program);

// Every map run it waits for now.
std::vector<effect::StartMapRun> outstanding_map_runs(const Execution& execution);

// The earliest instant at which something falls due (a Wait, a retry, a task's or the execution's timeout; in
// the past when a long decision rests): the shell then hands in TimeCame. Nothing when the execution waits
// for no time, or has ended.
std::optional<Instant> next_due(const Execution& execution, const Program& program);

}  // namespace millrace::states
