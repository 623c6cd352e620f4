// Pass: the result is Result, or the effective input.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {

Step enter_pass(Turn& turn, FrameId id, const definitions::Pass& pass) {
  Outcome input = effective_input(turn, id);
  if (!input) return fail_state(turn, id, input.error());
  return complete(turn, id, pass.result ? *pass.result : *input);
}

}  // namespace millrace::states
