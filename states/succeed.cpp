// Succeed: ends its branch or the execution with its input, InputPath and OutputPath applied.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {

Step enter_succeed(Turn& turn, FrameId id, const definitions::Succeed&) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error()};
  Outcome output = apply_path(turn.node(id).flow.output_path, *input, turn, id);
  if (!output) return step::Failed{output.error()};
  turn.emit(EventType::SucceedStateExited, id, detail::StateExited{turn.node(id).name, *output});
  return step::Ended{std::move(*output)};
}

}  // namespace millrace::states
