#include "tasks/lineage/lineage_graph.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/reverse_graph.hpp>
#include <boost/pending/queue.hpp>
#include <limits>

#include "base/encoding.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

using BoostGraph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS>;
constexpr int kFar = std::numeric_limits<int>::max();

// Steps from the nearest start; counts as vertices are found.
class DepthVisitor : public boost::default_bfs_visitor {
 public:
  explicit DepthVisitor(std::vector<int>& depth) : depth_(&depth) {}
  template <class Edge, class Graph>
  void tree_edge(Edge edge, const Graph& graph) const {
    (*depth_)[boost::target(edge, graph)] = (*depth_)[boost::source(edge, graph)] + 1;
  }

 private:
  std::vector<int>* depth_;
};

template <class Graph>
std::vector<int> depths(const Graph& graph, const std::vector<std::size_t>& starts) {
  const std::size_t n = boost::num_vertices(graph);
  std::vector<int> depth(n, kFar);
  std::vector<boost::default_color_type> colours(n, boost::white_color);
  for (const std::size_t start : starts) depth[start] = 0;
  const auto index = boost::get(boost::vertex_index, graph);
  boost::queue<std::size_t> waiting;
  boost::breadth_first_visit(graph, starts.begin(), starts.end(), waiting, DepthVisitor(depth),
                             boost::make_iterator_property_map(colours.begin(), index));
  return depth;
}

bool is_inside(std::string_view uri, std::string_view place) {
  return uri.size() > place.size() && uri.starts_with(place) && uri[place.size()] == '/';
}

}  // namespace

std::string_view lineage_type_name(LineageType type) {
  constexpr std::string_view kNames[] = {"Artifact", "TrialComponent", "Action", "Context"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string plain_uri(std::string_view uri) {
  while (uri.ends_with('/')) uri.remove_suffix(1);
  return std::string(uri);
}

std::string artifact_arn(std::string_view source_uri, std::string_view sha256) {
  return entity_arn(kArtifact, digest_hex(Digest::Md5, plain_uri(source_uri) + "\n" + std::string(sha256)));
}

std::size_t LineageGraph::add(LineageVertex vertex) {
  const auto [at, fresh] = by_arn_.emplace(vertex.arn, vertices_.size());
  if (fresh) {
    if (!vertex.source_uri.empty()) by_source_[plain_uri(vertex.source_uri)].push_back(vertices_.size());
    vertices_.push_back(std::move(vertex));
    return at->second;
  }
  LineageVertex& there = vertices_[at->second];
  if (there.type.empty() || there.type == "DataSet") there.type = vertex.type;
  if (there.created_ms == 0 || (vertex.created_ms > 0 && vertex.created_ms < there.created_ms))
    there.created_ms = vertex.created_ms;
  if (vertex.stored && !vertex.name.empty()) there.name = vertex.name;
  there.stored = there.stored || vertex.stored;
  there.properties.merge(vertex.properties);
  there.modified_ms = std::max(there.modified_ms, vertex.modified_ms);
  return at->second;
}

void LineageGraph::connect(std::size_t from, std::size_t to, std::string_view type, std::int64_t created_ms,
                           bool stored) {
  if (from == to) return;
  std::vector<std::string>& types = known_[{from, to}];
  if (std::find(types.begin(), types.end(), type) != types.end()) return;
  types.emplace_back(type);
  edges_.push_back({from, to, std::string(type), created_ms, stored});
}

const LineageVertex* LineageGraph::find(std::string_view arn) const {
  const auto found = by_arn_.find(arn);
  return found == by_arn_.end() ? nullptr : &vertices_[found->second];
}

std::vector<std::size_t> LineageGraph::named(std::string_view name) const {
  if (const auto found = by_arn_.find(name); found != by_arn_.end()) return {found->second};
  const std::string plain = plain_uri(name);
  std::vector<std::size_t> out;
  if (const auto found = by_source_.find(plain); found != by_source_.end()) {
    out = found->second;
  } else {
    const bool s3 = plain.starts_with("s3://");
    for (const auto& [source, indexes] : by_source_) {
      const bool fits = s3 ? is_inside(plain, source) || is_inside(source, plain)
                           : source.size() > plain.size() && source.ends_with(plain) &&
                                 source[source.size() - plain.size() - 1] == ':';
      if (fits) out.insert(out.end(), indexes.begin(), indexes.end());
    }
  }
  // The thing itself, rather than what was done with it.
  const auto rank = [&](std::size_t i) {
    const LineageType kind = vertices_[i].kind;
    return kind == LineageType::Action ? 2 : kind == LineageType::Context ? 1 : 0;
  };
  int best = 2;
  for (const std::size_t i : out) best = std::min(best, rank(i));
  std::erase_if(out, [&](std::size_t i) { return rank(i) > best; });
  return out;
}

std::vector<std::size_t> LineageGraph::reach(const std::vector<std::size_t>& starts, Direction direction,
                                             int depth) const {
  BoostGraph graph(vertices_.size());
  for (const LineageEdge& edge : edges_) boost::add_edge(edge.from, edge.to, graph);
  std::vector<int> nearest(vertices_.size(), kFar);
  const auto take = [&](const std::vector<int>& found) {
    for (std::size_t i = 0; i < found.size(); ++i) nearest[i] = std::min(nearest[i], found[i]);
  };
  if (direction != Direction::Ascendants) take(depths(graph, starts));
  if (direction != Direction::Descendants) take(depths(boost::make_reverse_graph(graph), starts));
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < nearest.size(); ++i)
    if (nearest[i] <= depth) out.push_back(i);
  std::stable_sort(out.begin(), out.end(),
                   [&](std::size_t a, std::size_t b) { return nearest[a] < nearest[b]; });
  return out;
}

}  // namespace millrace::tasks
