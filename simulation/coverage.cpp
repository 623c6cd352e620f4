#include "simulation/coverage.h"

#include <algorithm>

#include "states/behaviour.h"
#include "states/retry.h"

namespace millrace::simulation {

using definitions::kEnd;
using definitions::Node;
using definitions::NodeIndex;
using definitions::Program;

namespace {

constexpr const char* kEndName = "(end)";

std::string name_at(const Program& program, NodeIndex index) {
  return index == kEnd ? kEndName : program.node(index).name;
}

std::string errors_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string numbered(const std::string& state, std::string_view list, std::size_t i) {
  return state + ": " + std::string(list) + "[" + std::to_string(i) + "]";
}

}  // namespace

std::string_view name_of(CoverageKind kind) {
  static constexpr std::string_view kNames[kCoverageKinds] = {"states", "transitions", "choice rules",
                                                              "retriers", "catchers"};
  return kNames[static_cast<std::size_t>(kind)];
}

void Coverage::put(CoverageKind kind, std::string key, std::string name) {
  const auto k = static_cast<std::size_t>(kind);
  if (index_[k].emplace(std::move(key), items_[k].size()).second) items_[k].push_back({std::move(name), 0});
}

void Coverage::hit(CoverageKind kind, const std::string& key) {
  const auto k = static_cast<std::size_t>(kind);
  const auto found = index_[k].find(key);
  if (found != index_[k].end()) ++items_[k][found->second].hits;
}

void Coverage::list_edges(const Program& program, const Node& node) {
  const auto edge = [&](NodeIndex to) {
    const std::string name = node.name + " → " + name_at(program, to);
    put(CoverageKind::Transitions, name, name);
  };
  if (const auto* choice = std::get_if<definitions::Choice>(&node.kind)) {
    for (std::size_t i = 0; i < choice->branches.size(); ++i) {
      put(CoverageKind::ChoiceRules, numbered(node.name, "Choices", i),
          numbered(node.name, "Choices", i) + " " + choice->branches[i].label);
      edge(choice->branches[i].next);
    }
    if (choice->default_next) {
      put(CoverageKind::ChoiceRules, node.name + ": Default", node.name + ": Default");
      edge(*choice->default_next);
    }
  } else if (!std::holds_alternative<definitions::Succeed>(node.kind) &&
             !std::holds_alternative<definitions::Fail>(node.kind)) {
    edge(node.next);
  }
  for (const definitions::Catcher& catcher : node.errors.catchers) edge(catcher.next);
}

void Coverage::list(const Program& program) {
  for (const Node& node : program.nodes) {
    put(CoverageKind::States, node.name, node.name);
    list_edges(program, node);
    for (std::size_t i = 0; i < node.errors.retriers.size(); ++i) {
      const std::string key = numbered(node.name, "Retry", i);
      put(CoverageKind::Retriers, key, key + " " + errors_of(node.errors.retriers[i].error_equals));
    }
    for (std::size_t i = 0; i < node.errors.catchers.size(); ++i) {
      const std::string key = numbered(node.name, "Catch", i);
      put(CoverageKind::Catchers, key, key + " " + errors_of(node.errors.catchers[i].error_equals));
    }
    if (const auto* map = std::get_if<definitions::Map>(&node.kind)) list(*map->processor);
    if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
      for (const auto& branch : parallel->branches) list(*branch);
    }
  }
}

// Events do not say which rule led on: the choice is made once more.
void Coverage::add_choice(const states::Execution& execution, const Program& program, FrameId frame,
                          Instant now) {
  const Node& node = execution.frames.at(frame).program->node(execution.frames.at(frame).node);
  const Limits limits;
  const Environment environment{now, 0, &limits};
  states::Turn turn(program, execution, environment);
  states::Inspection inspection;
  turn.inspect(&inspection);
  const states::Step step = states::enter_choice(turn, frame, std::get<definitions::Choice>(node.kind));
  if (inspection.choice_rule)
    hit(CoverageKind::ChoiceRules, numbered(node.name, "Choices", *inspection.choice_rule));
  else if (std::holds_alternative<states::step::Next>(step))
    hit(CoverageKind::ChoiceRules, node.name + ": Default");
}

void Coverage::add_edge(const Program& scope, const Node& from, const std::string& to, bool failed,
                        const std::string& error) {
  hit(CoverageKind::Transitions, from.name + " → " + to);
  if (!failed && to == name_at(scope, from.next)) return;
  for (std::size_t i = 0; i < from.errors.catchers.size(); ++i) {
    const definitions::Catcher& catcher = from.errors.catchers[i];
    if (name_at(scope, catcher.next) != to) continue;
    if (!error.empty() && !states::covers(catcher.error_equals, error)) continue;
    return hit(CoverageKind::Catchers, numbered(from.name, "Catch", i));
  }
}

void Coverage::add(const Trace& trace) {
  struct At {
    const Program* scope = nullptr;
    NodeIndex node = 0;
    bool failed = false, exited = false;
    std::string error;
  };
  std::map<FrameId, At> lines;
  states::Execution execution;
  for (const states::Event& event : trace.events()) {
    states::evolve(execution, trace.program(), event);
    At& at = lines[event.frame];
    if (const auto* entered = std::get_if<states::detail::StateEntered>(&event.details)) {
      const auto frame = execution.frames.find(event.frame);
      if (frame == execution.frames.end()) continue;
      if (at.scope && at.exited)
        add_edge(*at.scope, at.scope->node(at.node), entered->name, at.failed, at.error);
      at = {frame->second.program, event.node, false, false, {}};
      hit(CoverageKind::States, entered->name);
      if (at.scope->node(at.node).type() == definitions::StateType::Choice)
        add_choice(execution, trace.program(), event.frame, event.time);
    } else if (std::holds_alternative<states::detail::StateExited>(event.details)) {
      at.exited = true;
    } else if (const auto* failed = std::get_if<states::detail::TaskFailed>(&event.details)) {
      at.failed = true;
      at.error = failed->failure.error;
    } else if (event.type == states::EventType::MapStateFailed ||
               event.type == states::EventType::ParallelStateFailed) {
      at.failed = true;
    } else if (const auto* retry = std::get_if<states::detail::RetryScheduled>(&event.details)) {
      if (at.scope)
        hit(CoverageKind::Retriers, numbered(at.scope->node(at.node).name, "Retry", retry->retrier));
      at.failed = false;
      at.error.clear();
    }
  }
  for (const auto& [frame, at] : lines) {
    if (at.scope && at.exited && at.scope->node(at.node).next == kEnd)
      add_edge(*at.scope, at.scope->node(at.node), kEndName, false, {});
  }
}

std::size_t Coverage::covered(CoverageKind kind) const {
  const auto& all = items(kind);
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const Item& item) { return item.hits > 0; }));
}

double Coverage::percent() const {
  std::size_t all = 0, reached = 0;
  for (std::size_t k = 0; k < kCoverageKinds; ++k) {
    all += items_[k].size();
    reached += covered(static_cast<CoverageKind>(k));
  }
  return all == 0 ? 100 : 100.0 * static_cast<double>(reached) / static_cast<double>(all);
}

}  // namespace millrace::simulation
