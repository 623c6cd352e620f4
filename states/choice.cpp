// Choice: the first rule that holds names the next state; else Default; else States.NoChoiceMatched.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

// Null when no rule holds.
tl::expected<const definitions::ChoiceBranch*, Failure> choose(const Turn& turn, FrameId id,
                                                               const definitions::Choice& choice,
                                                               const Payload& input) {
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
  for (const definitions::ChoiceBranch& branch : choice.branches) {
    auto holds = branch.rule.evaluate(at.scope);
    if (!holds) return tl::unexpected<Failure>(in_state(turn, id, holds.error()));
    if (!*holds) continue;
    turn.note_rule(static_cast<std::size_t>(&branch - choice.branches.data()));
    return &branch;
  }
  return nullptr;
}

}  // namespace

Step enter_choice(Turn& turn, FrameId id, const definitions::Choice& choice) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error(), false};
  const auto chosen = choose(turn, id, choice, *input);
  if (!chosen) return fail_state(turn, id, chosen.error(), false);
  const definitions::ChoiceBranch* branch = *chosen;
  if (!branch && !choice.default_next) {
    Failure failure;
    failure.error = std::string(error_names::kNoChoiceMatched);
    failure.cause = "No choice rule matched and the state has no Default.";
    return step::Failed{in_state(turn, id, std::move(failure)), false};
  }
  const definitions::DataFlow& flow = turn.node(id).flow;
  auto exit = choice_exit(turn, id, *input, branch ? branch->output : flow.output,
                          branch ? branch->assign : flow.assign);
  if (!exit) return fail_state(turn, id, exit.error(), false);
  turn.emit(EventType::ChoiceStateExited, id,
            detail::StateExited{turn.node(id).name, std::move(exit->output), std::move(exit->assigned)});
  return step::Next{branch ? branch->next : *choice.default_next};
}

}  // namespace millrace::states
