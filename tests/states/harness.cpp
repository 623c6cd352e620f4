#include "tests/states/harness.h"

#include <algorithm>

namespace millrace::tests {

using namespace states;

namespace {

bool rests(const Execution& execution) {
  return std::any_of(execution.frames.begin(), execution.frames.end(), [](const auto& entry) {
    return std::holds_alternative<waiting::Nothing>(entry.second.waiting);
  });
}

}  // namespace

void Harness::check(const Execution& before, const Decision& decision) {
  const auto wrong = [&](std::string what) {
    if (problem.empty()) problem = std::move(what);
  };
  Execution folded = before;
  EventNumber number = before.visible_events;
  for (const Event& event : decision.events) {
    evolve(folded, *program, event);
    if (visible(event.type)) ++number;
    if (event.number != number) wrong(brief(event) + ": its number does not follow");
    if (event.previous >= event.number && visible(event.type)) wrong(brief(event) + ": follows itself");
    if (event.time != now) wrong(brief(event) + ": another time than the decision's");
  }
  if (!(folded == decision.next)) wrong("the state is not the fold of the events");
  if (const std::string broken = check_consistent(decision.next, *program); !broken.empty()) wrong(broken);
  if (rests(decision.next) && !rests(before) && decision.events.size() < limits.decision_events_max)
    wrong("a frame waits for nothing after a short decision");
  if (decision.next.ended() && next_due(decision.next, *program)) wrong("an ended execution is due");
  if (decision.next.visible_events > std::max(before.visible_events + 1, limits.history_events_max))
    wrong("more events than the history may have");
}

std::vector<Effect> Harness::apply(const Stimulus& stimulus) {
  const Environment environment{now, seed, &limits};
  const Execution before = execution;
  Decision decision = decide(*program, execution, stimulus, environment);
  check(before, decision);
  execution = std::move(decision.next);
  std::move(decision.events.begin(), decision.events.end(), std::back_inserter(events));
  return std::move(decision.effects);
}

std::vector<Effect> Harness::start(const Payload& input) {
  stimulus::Started started;
  started.identity = {"arn:aws:states:us-east-1:123456789012:execution:machine:name", "name",
                      "arn:aws:states:us-east-1:123456789012:stateMachine:machine", "machine",
                      "arn:aws:iam::123456789012:role/r"};
  started.input = input;
  return apply(started);
}

int Harness::run_on(std::vector<Effect>& effects) {
  int decisions = 0;
  while (problem.empty() && !execution.ended() && rests(execution)) {
    const std::uint64_t before = execution.events;
    std::vector<Effect> more = apply(stimulus::TimeCame{});
    std::move(more.begin(), more.end(), std::back_inserter(effects));
    if (execution.events == before && problem.empty()) problem = "a resting execution did not go on";
    ++decisions;
  }
  return decisions;
}

std::string brief(const Event& event) {
  std::string type(name_of(event.type));
  if (!visible(event.type)) type = "(" + type + ")";
  std::string text = std::to_string(event.number) + "<" + std::to_string(event.previous) + " " + type;
  if (const auto* entered = std::get_if<detail::StateEntered>(&event.details)) text += " " + entered->name;
  if (const auto* exited = std::get_if<detail::StateExited>(&event.details)) text += " " + exited->name;
  if (const auto* item = std::get_if<detail::IterationStarted>(&event.details))
    text += " " + std::to_string(item->index);
  if (const auto* item = std::get_if<detail::IterationEnded>(&event.details))
    text += " " + std::to_string(item->index);
  return text;
}

}  // namespace millrace::tests
