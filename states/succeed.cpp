// Succeed: ends its branch or the execution with its input, InputPath and OutputPath or Output applied.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {

Step enter_succeed(Turn& turn, FrameId id, const definitions::Succeed&) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error()};
  auto exit = state_exit(turn, id, *input);
  if (!exit) return fail_state(turn, id, exit.error());
  turn.emit(EventType::SucceedStateExited, id, detail::StateExited{turn.node(id).name, exit->output});
  return step::Ended{std::move(exit->output)};
}

}  // namespace millrace::states
