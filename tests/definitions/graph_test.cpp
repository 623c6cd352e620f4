#include "definitions/graph.h"

#include <doctest/doctest.h>

using namespace millrace::definitions;

namespace {

// A program of Pass states with these ways; kEnd ends.
Program program_of(const std::vector<NodeIndex>& next) {
  Program program;
  for (std::size_t i = 0; i < next.size(); ++i) {
    Node node;
    node.name = "s" + std::to_string(i);
    node.next = next[i];
    program.nodes.push_back(std::move(node));
  }
  return program;
}

}  // namespace

TEST_CASE("Graph: edges of every kind") {
  Program program = program_of({1, kEnd, kEnd});
  program.nodes[0].errors.catchers.push_back({{"A", "B"}, 2, {}});
  Choice choice;
  choice.branches.push_back({{}, 0, "$.x = 1"});
  choice.default_next = 2;
  program.nodes[1].kind = std::move(choice);
  const auto edges = edges_of(program);
  REQUIRE(edges.size() == 5);
  CHECK(edges[0].kind == GraphEdge::Kind::Next);
  CHECK(edges[0].to == 1);
  CHECK(edges[1].kind == GraphEdge::Kind::Catch);
  CHECK(edges[1].label == "Catch A, B");
  CHECK(edges[2].kind == GraphEdge::Kind::Choice);
  CHECK(edges[2].label == "$.x = 1");
  CHECK(edges[3].kind == GraphEdge::Kind::Default);
  CHECK(edges[4].to == kEnd);
}

TEST_CASE("Graph: what is unreachable, endless and closed") {
  // 0 -> 1 -> end; 2 -> 3 -> 4 -> 2 apart; 5 -> 5; 6 -> 2.
  const Program program = program_of({1, kEnd, 3, 4, 2, 5, 2});
  const GraphFacts facts = analyse(program);
  CHECK(facts.unreachable == std::vector<NodeIndex>{2, 3, 4, 5, 6});
  CHECK(facts.without_end == std::vector<NodeIndex>{2, 3, 4, 5, 6});
  REQUIRE(facts.closed_cycles.size() == 2);
  CHECK(facts.closed_cycles[0] == std::vector<NodeIndex>{2, 3, 4});
  CHECK(facts.closed_cycles[1] == std::vector<NodeIndex>{5});
}

TEST_CASE("Graph: a cycle is given in the order of its ways") {
  const Program program = program_of({2, 0, 3, 1});  // 0 -> 2 -> 3 -> 1 -> 0
  const GraphFacts facts = analyse(program);
  CHECK(facts.unreachable.empty());
  REQUIRE(facts.closed_cycles.size() == 1);
  CHECK(facts.closed_cycles[0] == std::vector<NodeIndex>{0, 2, 3, 1});
}

TEST_CASE("Graph: a catcher is a way out of a loop") {
  Program program = program_of({1, 0, kEnd});
  program.nodes[1].errors.catchers.push_back({{"E"}, 2, {}});
  const GraphFacts facts = analyse(program);
  CHECK(facts.closed_cycles.empty());
  CHECK(facts.without_end.empty());
}

TEST_CASE("Graph: an empty program has no facts") {
  CHECK(analyse(Program{}).unreachable.empty());
}
