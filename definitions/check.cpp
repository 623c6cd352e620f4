#include "definitions/check.h"

#include <algorithm>

#include "definitions/graph.h"

namespace millrace::definitions {
namespace {

bool terminal(const Node& node) {
  return node.type() != StateType::Choice && node.next == kEnd;
}

}  // namespace

void check_scope(Source& source, const ScopeNames& names, const Program& program, JsonView anchor) {
  if (std::none_of(program.nodes.begin(), program.nodes.end(), terminal)) {
    // AWS gives no place for the outermost scope.
    source.error(anchor, names.pointer == "/" ? "" : names.pointer, codes::kNoEnd,
                 "Workflow has no terminal state",
                 "end one state with \"End\": true, or add a Succeed or Fail state");
    return;
  }
  const GraphFacts facts = analyse(program);
  const auto pointer = [&](NodeIndex i) {
    return place(place(names.pointer, "States"), program.nodes[i].name);
  };
  std::vector<bool> unreachable(program.nodes.size(), false);
  for (const NodeIndex i : facts.unreachable) {
    unreachable[i] = true;
    source.error(names.keys[i], pointer(i), codes::kTarget,
                 "State \"" + program.nodes[i].name + "\" is not reachable.",
                 "no way leads from StartAt to it: name it in a Next, Default or Catch, or remove it");
  }
  for (const std::vector<NodeIndex>& cycle : facts.closed_cycles) {
    if (unreachable[cycle.front()]) continue;
    constexpr std::size_t kShown = 8;
    std::string way;
    for (std::size_t k = 0; k < std::min(kShown, cycle.size()); ++k)
      way += program.nodes[cycle[k]].name + " -> ";
    way += cycle.size() > kShown ? "…" : program.nodes[cycle.front()].name;
    source.warning(names.keys[cycle.front()], pointer(cycle.front()), codes::kEndless,
                   "This loop has no way out: " + way,
                   "an execution that enters it runs until it fails, times out or is stopped");
  }
}

void check_assigned(Source& source) {
  // Of each scope, the place where each name is assigned first.
  std::vector<std::unordered_map<std::string, const std::string*>> first(source.assigned.size());
  for (std::size_t i = 0; i < source.assigned.size(); ++i) {
    for (const auto& name : source.assigned[i].names) first[i].emplace(name.name, &name.pointer);
  }
  for (std::size_t i = 1; i < source.assigned.size(); ++i) {
    for (const auto& name : source.assigned[i].names) {
      for (std::size_t at = i; at != 0 && !source.assigned[at].isolated;) {
        at = source.assigned[at].parent;
        const auto outer = first[at].find(name.name);
        if (outer == first[at].end()) continue;
        source.error(
            name.key, name.pointer, codes::kSchema,
            "The variable '" + name.name + "' is assigned in an outer scope and cannot be assigned here",
            "it is assigned at " + *outer->second +
                "; inside a Branch or an ItemProcessor use another name, and Output to hand values out");
        break;
      }
    }
  }
}

}  // namespace millrace::definitions
