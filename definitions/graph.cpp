#include "definitions/graph.h"

#include <algorithm>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/strong_components.hpp>

namespace millrace::definitions {
namespace {

using Graph = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, boost::no_property,
                                                 boost::no_property, std::uint32_t, std::uint32_t>;
using Arcs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

Graph graph_of(const Arcs& arcs, std::size_t vertices) {
  return Graph(boost::edges_are_unsorted_multi_pass, arcs.begin(), arcs.end(),
               static_cast<std::uint32_t>(vertices));
}

// Which vertices can be reached from `start`.
std::vector<bool> reached_from(const Graph& graph, std::uint32_t start) {
  const std::size_t n = boost::num_vertices(graph);
  std::vector<boost::default_color_type> colors(n, boost::white_color);
  const auto color_map =
      boost::make_iterator_property_map(colors.begin(), boost::get(boost::vertex_index, graph));
  boost::breadth_first_search(graph, start, boost::color_map(color_map));
  std::vector<bool> reached(n);
  for (std::size_t v = 0; v < n; ++v) reached[v] = colors[v] != boost::white_color;
  return reached;
}

// Follows the cycle from its lowest index; what a walk along first ways does not meet comes behind, by index.
std::vector<NodeIndex> in_order(const Graph& graph, const std::vector<NodeIndex>& members,
                                const std::vector<std::uint32_t>& component) {
  std::vector<NodeIndex> out;
  std::vector<bool> seen(members.back() + 1, false);
  NodeIndex at = members.front();
  for (bool moved = true; moved;) {
    seen[at] = true;
    out.push_back(at);
    moved = false;
    const auto [first, last] = boost::out_edges(at, graph);
    for (auto edge = first; edge != last && !moved; ++edge) {
      const std::uint32_t to = boost::target(*edge, graph);
      if (component[to] == component[at] && !seen[to]) {
        at = to;
        moved = true;
      }
    }
  }
  for (const NodeIndex member : members) {
    if (!seen[member]) out.push_back(member);
  }
  return out;
}

std::vector<std::vector<NodeIndex>> closed_cycles(const Graph& graph, std::uint32_t end) {
  std::vector<std::uint32_t> component(boost::num_vertices(graph));
  const auto map =
      boost::make_iterator_property_map(component.begin(), boost::get(boost::vertex_index, graph));
  const std::size_t count = boost::strong_components(graph, map);
  std::vector<std::vector<NodeIndex>> members(count);
  std::vector<bool> leaves(count, false), loops(count, false);
  for (std::uint32_t v = 0; v < end; ++v) members[component[v]].push_back(v);
  for (auto [edge, last] = boost::edges(graph); edge != last; ++edge) {
    const std::uint32_t from = component[boost::source(*edge, graph)],
                        to = component[boost::target(*edge, graph)];
    if (from == to)
      loops[from] = true;
    else
      leaves[from] = true;
  }
  std::vector<std::vector<NodeIndex>> out;
  for (std::size_t c = 0; c < count; ++c) {
    if (!members[c].empty() && loops[c] && !leaves[c]) out.push_back(in_order(graph, members[c], component));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<GraphEdge> edges_of(const Program& program) {
  std::vector<GraphEdge> edges;
  using Kind = GraphEdge::Kind;
  for (NodeIndex i = 0; i < program.nodes.size(); ++i) {
    const Node& node = program.nodes[i];
    if (const auto* choice = std::get_if<Choice>(&node.kind)) {
      for (std::size_t k = 0; k < choice->branches.size(); ++k) {
        const ChoiceBranch& branch = choice->branches[k];
        edges.push_back({i, branch.next, Kind::Choice, branch.label});
      }
      if (choice->default_next) edges.push_back({i, *choice->default_next, Kind::Default, "Default"});
    } else {
      edges.push_back({i, node.next, Kind::Next, {}});
    }
    for (const Catcher& catcher : node.errors.catchers) {
      std::string label = "Catch";
      for (std::size_t k = 0; k < catcher.error_equals.size(); ++k) {
        label += (k == 0 ? " " : ", ") + catcher.error_equals[k];
      }
      edges.push_back({i, catcher.next, Kind::Catch, std::move(label)});
    }
  }
  return edges;
}

GraphFacts analyse(const Program& program) {
  GraphFacts facts;
  const auto end =
      static_cast<std::uint32_t>(program.nodes.size());  // the vertex that stands for the scope's end
  if (end == 0) return facts;
  Arcs arcs, reversed;
  for (const GraphEdge& edge : edges_of(program)) {
    const std::uint32_t to = edge.to == kEnd ? end : edge.to;
    arcs.emplace_back(edge.from, to);
    reversed.emplace_back(to, edge.from);
  }
  const Graph graph = graph_of(arcs, end + 1);
  const std::vector<bool> reached = reached_from(graph, program.start);
  const std::vector<bool> ending = reached_from(graph_of(reversed, end + 1), end);
  for (NodeIndex i = 0; i < end; ++i) {
    if (!reached[i]) facts.unreachable.push_back(i);
    if (!ending[i]) facts.without_end.push_back(i);
  }
  facts.closed_cycles = closed_cycles(graph, end);
  return facts;
}

}  // namespace millrace::definitions
