#pragma once
// What each state type does when it is entered and when it is resumed, and where that leads. One file a type.

#include <variant>

#include "states/turn.h"

namespace millrace::states {

namespace step {
struct Waits {};  // the frame waits for something
struct Next {
  definitions::NodeIndex to = definitions::kEnd;
};  // the state was left; its output is the frame's data
struct Ended {
  Payload output;
};               // the frame came to its end (Succeed, or End: true)
struct Failed {  // a failure that Retry and Catch may answer
  Failure failure;
  bool may_be_answered = true;            // by this state; false: a Fail, a Choice, or nobody did
  std::optional<EventNumber> after = {};  // the event it follows, when that is not the frame's own last one
  bool fork = false;  // the fork failed before it began: …StateFailed is still to be shown
};
}  // namespace step
using Step = std::variant<step::Waits, step::Next, step::Ended, step::Failed>;

// The …StateEntered of a type.
EventType entered_event(definitions::StateType type);

// The state has been entered (its …StateEntered is there).
Step enter_pass(Turn& turn, FrameId id, const definitions::Pass& pass);
Step enter_task(Turn& turn, FrameId id, const definitions::Task& task);
Step enter_choice(Turn& turn, FrameId id, const definitions::Choice& choice);
Step enter_wait(Turn& turn, FrameId id, const definitions::Wait& wait);
Step enter_parallel(Turn& turn, FrameId id, const definitions::Parallel& parallel);
Step enter_map(Turn& turn, FrameId id, const definitions::Map& map);
Step enter_distributed_map(Turn& turn, FrameId id, const definitions::Map& map);
Step enter_succeed(Turn& turn, FrameId id, const definitions::Succeed& succeed);
Step enter_fail(Turn& turn, FrameId id, const definitions::Fail& fail);
// Any of them, by the frame's node: also what starts another attempt.
Step enter(Turn& turn, FrameId id);

Step resume_wait(Turn& turn, FrameId id);
// Starts what an inline Map's concurrency has room for.
Step go_on_with_items(Turn& turn, FrameId id);
Step task_started(Turn& turn, FrameId id, const std::string& worker);
Step task_submitted(Turn& turn, FrameId id, const Payload& output);
Step task_reported(Turn& turn, FrameId id, const Outcome& outcome);
Step task_timed_out(Turn& turn, FrameId id, std::string_view error);
// A redrive goes on with the run that failed, which the frame waited for then.
Step redrive_map_run(Turn& turn, FrameId id, const waiting::ForMapRun& run);
Step map_run_ended(Turn& turn, FrameId id, const Outcome& outcome);
// A child of the frame came to its end, or failed.
Step branch_ended(Turn& turn, FrameId parent, FrameId child, const Payload& output);
Step iteration_ended(Turn& turn, FrameId parent, FrameId child, const Payload& output);
void iteration_failed(Turn& turn, FrameId parent, FrameId child);

// The state's work failed. An expression of a JSONata state that failed is shown first, as EvaluationFailed.
step::Failed fail_state(Turn& turn, FrameId id, Failure failure, bool may_be_answered = true);

// Cancels what the frames below this one have out, with the …Aborted events that AWS shows.
void abort_children(Turn& turn, FrameId id);

// The result of the state's work -> its output -> …StateExited.
Step complete(Turn& turn, FrameId id, const Payload& result, std::optional<EventNumber> after = {});
// The catcher answers the failure: its output -> …StateExited.
Step catch_failure(Turn& turn, FrameId id, const definitions::Catcher& catcher, const Failure& failure);

}  // namespace millrace::states
