#pragma once
// The graph of a definition: states and the ways between them, for the checks (compile) and for pictures.
// graph.cpp is the only file with Boost.Graph.

#include <cstdint>
#include <string>
#include <vector>

#include "definitions/program.h"

namespace millrace::definitions {

struct GraphEdge {
  NodeIndex from = 0;
  NodeIndex to = 0;  // kEnd: the scope ends
  enum class Kind { Next, Choice, Default, Catch } kind = Kind::Next;
  std::string label;  // "Catch States.Timeout", the rule's number, …
};
std::vector<GraphEdge> edges_of(const Program& program);

struct GraphFacts {
  std::vector<NodeIndex> unreachable;                 // from StartAt
  std::vector<NodeIndex> without_end;                 // no terminal state can be reached from here
  std::vector<std::vector<NodeIndex>> closed_cycles;  // cycles without a way out, each in order
};
GraphFacts analyse(const Program& program);

}  // namespace millrace::definitions
