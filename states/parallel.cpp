// Parallel: one frame a branch, all on copies of the effective input; the first failure ends them all.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {

Step enter_parallel(Turn& turn, FrameId id, const definitions::Parallel&) {
  Outcome input = effective_input(turn, id);
  if (!input) {
    step::Failed failed = fail_state(turn, id, input.error());
    failed.fork = turn.node(id).language == definitions::QueryLanguage::JsonAta;
    return failed;
  }
  turn.emit(EventType::ParallelStateStarted, id, detail::ParallelStarted{std::move(*input)});
  const auto& fork = std::get<waiting::ForBranches>(turn.frame(id).waiting);
  for (const FrameId child : fork.children) turn.runnable.push_back(child);
  return step::Waits{};
}

Step branch_ended(Turn& turn, FrameId parent, FrameId child, const Payload& output) {
  turn.emit(EventType::BranchSucceeded, child, detail::BranchSucceeded{output});
  const auto& fork = std::get<waiting::ForBranches>(turn.frame(parent).waiting);
  JsonWriter result;
  result.begin_array();
  for (const std::optional<Payload>& branch : fork.outputs) {
    if (!branch) return step::Waits{};
    result.value(*branch);
  }
  result.end_array();
  turn.emit(EventType::ParallelStateSucceeded, parent, std::monostate{});
  return complete(turn, parent, result.finish());
}

}  // namespace millrace::states
