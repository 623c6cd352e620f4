// Choice: the first rule that holds names the next state; else Default; else States.NoChoiceMatched.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

// Nothing when no rule holds and there is no Default.
tl::expected<std::optional<definitions::NodeIndex>, Failure> choose(const Turn& turn, FrameId id,
                                                                    const definitions::Choice& choice,
                                                                    const Payload& input) {
  const FrameContext context(turn.execution(), turn.frame(id));
  const definitions::Variables none;
  const definitions::Scope scope{input, context, none, turn.environment()};
  for (const definitions::ChoiceBranch& branch : choice.branches) {
    auto holds = branch.rule.evaluate(scope);
    if (!holds) return tl::unexpected<Failure>(in_state(turn, id, holds.error()));
    if (!*holds) continue;
    turn.note_rule(static_cast<std::size_t>(&branch - choice.branches.data()));
    return std::optional(branch.next);
  }
  return choice.default_next;
}

}  // namespace

Step enter_choice(Turn& turn, FrameId id, const definitions::Choice& choice) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error(), false};
  const auto target = choose(turn, id, choice, *input);
  if (!target) return step::Failed{target.error(), false};
  if (!*target) {
    Failure failure;
    failure.error = std::string(error_names::kNoChoiceMatched);
    failure.cause = "No choice rule matched and the state has no Default.";
    return step::Failed{in_state(turn, id, std::move(failure)), false};
  }
  Outcome output = apply_path(turn.node(id).flow.output_path, *input, turn, id);
  if (!output) return step::Failed{output.error(), false};
  turn.emit(EventType::ChoiceStateExited, id, detail::StateExited{turn.node(id).name, std::move(*output)});
  return step::Next{**target};
}

}  // namespace millrace::states
