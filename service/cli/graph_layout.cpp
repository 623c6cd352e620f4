#include "service/cli/graph_layout.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/utf8.h"
#include "service/cli/render_graph.h"

namespace millrace::cli {
namespace {

using namespace definitions;

constexpr double kColumnGap = 28, kLaneGap = 12, kMargin = 16, kStateHeight = 46, kMark = 18;
constexpr double kLayerGap = 38, kLabelledGap = 58;  // between layers: without and with texts on the ways
constexpr double kLabelSize = 11, kBold = 1.18;

// A box or a bend (where a long way passes a layer) with its place among the layers.
struct Item {
  int box = -1;  // index of the box, -1 for a bend
  int layer = 0;
  double width = 0, height = 0, x = 0;  // x: middle
  std::vector<int> up, down;            // neighbours in the layers above and below
};

struct Edge {
  int from, to;  // items
  GraphEdge::Kind kind;
  std::string label;
  bool back = false;
  double port = 0;         // x where it leaves `from`
  std::vector<int> chain;  // items from `from` to `to`, with the bends between them
};

class Layering {
 public:
  Layering(const Program& program, bool outermost) : program_(&program), outermost_(outermost) {
    make_boxes();
    make_edges();
    arrange();
  }
  Layering(const std::vector<PlainBox>& boxes, const std::vector<PlainWay>& ways) : outermost_(false) {
    for (const PlainBox& plain : boxes) boxes_.push_back(box_of(plain));
    make_items();
    for (const PlainWay& way : ways)
      edges_.push_back({static_cast<int>(way.from),
                        static_cast<int>(way.to),
                        GraphEdge::Kind::Next,
                        way.label,
                        false,
                        0,
                        {}});
    arrange();
  }

  Layout finish() {
    place_rows();
    Layout out;
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      boxes_[i].x = items_[i].x - items_[i].width / 2;
      boxes_[i].y = row_top_[static_cast<std::size_t>(items_[i].layer)] +
                    (row_height_[static_cast<std::size_t>(items_[i].layer)] - items_[i].height) / 2;
    }
    shift_to_margin();
    place_ports();
    for (const Edge& edge : edges_) {
      if (!edge.back) out.ways.push_back(forward_way(edge));
    }
    for (const Edge& edge : edges_) {
      if (edge.back) out.ways.push_back(backward_way(edge));
    }
    place_labels(out.ways);
    out.width = right_ + (lanes_ > 0 ? kLaneGap * (lanes_ + 1) : 0) + kMargin;
    out.height = row_top_.back() + row_height_.back() + kMargin + (lanes_ > 0 && lowest_back_ ? kLaneGap : 0);
    for (const Way& way : out.ways) {
      if (way.label.empty()) continue;
      const double half = text_width(shorten(way.label, kLabelCharacters), kLabelSize) / 2;
      out.width = std::max(out.width, way.label_at.x + half + 6);
    }
    out.boxes = std::move(boxes_);
    return out;
  }

 private:
  void arrange() {
    mark_back_edges();
    assign_layers();
    make_bends();
    order_layers();
    place_columns();
  }

  // Boxes are in the order of the nodes; the marks stand behind them.
  void make_boxes() {
    for (const Node& node : program_->nodes) boxes_.push_back(box_of(node));
    if (outermost_) {
      start_ = add_mark(BoxKind::Start);
      end_ = add_mark(BoxKind::End);
    }
    make_items();
  }

  void make_items() {
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      Item item;
      item.box = static_cast<int>(i);
      item.width = boxes_[i].width;
      item.height = boxes_[i].height;
      items_.push_back(std::move(item));
    }
  }

  int add_mark(BoxKind kind) {
    Box box;
    box.kind = kind;
    box.width = box.height = kMark;
    boxes_.push_back(std::move(box));
    return static_cast<int>(boxes_.size()) - 1;
  }

  static Box box_with(std::string_view title, std::string_view subtitle) {
    Box box;
    box.width = std::max(text_width(shorten(title, kNameCharacters), 13) * kBold,
                         text_width(shorten(subtitle, kTypeCharacters), 10)) +
                34;
    box.width = std::clamp(box.width, 120.0, 320.0);
    box.height = kStateHeight;
    return box;
  }

  static Box box_of(const PlainBox& plain) {
    Box box = box_with(plain.title, plain.subtitle);
    box.plain = &plain;
    return box;
  }

  static Box box_of(const Node& node) {
    Box box = box_with(node.name, describe(node));
    box.node = &node;
    std::vector<const Program*> inner;
    if (const auto* parallel = std::get_if<Parallel>(&node.kind)) {
      for (const auto& branch : parallel->branches) inner.push_back(branch.get());
    } else if (const auto* map = std::get_if<Map>(&node.kind)) {
      inner.push_back(map->processor.get());
    }
    std::erase(inner, nullptr);
    if (inner.empty()) return box;
    box.kind = BoxKind::Frame;
    constexpr double kPad = 12;
    double x = kPad, tallest = 0;
    for (const Program* program : inner) {
      Layout scope = layout_of(*program, false);
      scope.x = x;
      scope.y = kHeaderHeight;
      x += scope.width + kPad;
      tallest = std::max(tallest, scope.height);
      box.scopes.push_back(std::move(scope));
    }
    const double spare = std::max(0.0, box.width - x);
    for (Layout& scope : box.scopes) scope.x += spare / 2;
    box.width = std::max(box.width, x);
    box.height = kHeaderHeight + tallest + kPad;
    return box;
  }

  // Ways of one kind between the same two states are one way with all their texts.
  void make_edges() {
    std::map<std::tuple<int, int, int>, std::size_t> known;
    if (outermost_)
      edges_.push_back({start_, static_cast<int>(program_->start), GraphEdge::Kind::Next, {}, false, 0, {}});
    for (const GraphEdge& edge : edges_of(*program_)) {
      if (edge.to == kEnd && !outermost_) continue;
      const int from = static_cast<int>(edge.from), to = edge.to == kEnd ? end_ : static_cast<int>(edge.to);
      const auto [at, fresh] =
          known.emplace(std::tuple(from, to, static_cast<int>(edge.kind)), edges_.size());
      if (fresh)
        edges_.push_back({from, to, edge.kind, edge.label, false, 0, {}});
      else if (!edge.label.empty())
        edges_[at->second].label += " | " + edge.label;
    }
  }

  // A way that leads to a state still open in a depth-first walk from the start closes a cycle.
  void mark_back_edges() {
    std::vector<std::vector<std::size_t>> out(items_.size());
    for (std::size_t e = 0; e < edges_.size(); ++e)
      out[static_cast<std::size_t>(edges_[e].from)].push_back(e);
    enum class Seen : char { No, Open, Done };
    std::vector<Seen> seen(items_.size(), Seen::No);
    std::vector<std::pair<int, std::size_t>> stack;
    const auto walk = [&](int root) {
      if (seen[static_cast<std::size_t>(root)] != Seen::No) return;
      seen[static_cast<std::size_t>(root)] = Seen::Open;
      stack.emplace_back(root, 0);
      while (!stack.empty()) {
        auto& [item, next] = stack.back();
        const auto at = static_cast<std::size_t>(item);
        if (next == out[at].size()) {
          seen[at] = Seen::Done;
          stack.pop_back();
          continue;
        }
        Edge& edge = edges_[out[at][next++]];
        Seen& there = seen[static_cast<std::size_t>(edge.to)];
        if (there == Seen::Open) edge.back = true;
        if (there != Seen::No) continue;
        there = Seen::Open;
        stack.emplace_back(edge.to, 0);
      }
    };
    if (program_) walk(outermost_ ? start_ : static_cast<int>(program_->start));
    for (int i = 0; i < static_cast<int>(items_.size()); ++i) walk(i);
  }

  // The layer is the longest way from above; in the order in which all ways in are known.
  void assign_layers() {
    std::vector<int> waiting(items_.size(), 0);
    std::vector<std::vector<int>> out(items_.size());
    for (const Edge& edge : edges_) {
      if (edge.back) continue;
      ++waiting[static_cast<std::size_t>(edge.to)];
      out[static_cast<std::size_t>(edge.from)].push_back(edge.to);
    }
    std::vector<int> ready;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (waiting[i] == 0) ready.push_back(static_cast<int>(i));
    }
    int last = 0;
    for (std::size_t k = 0; k < ready.size(); ++k) {
      const Item& item = items_[static_cast<std::size_t>(ready[k])];
      last = std::max(last, item.layer);
      for (const int to : out[static_cast<std::size_t>(ready[k])]) {
        Item& below = items_[static_cast<std::size_t>(to)];
        below.layer = std::max(below.layer, item.layer + 1);
        if (--waiting[static_cast<std::size_t>(to)] == 0) ready.push_back(to);
      }
    }
    if (outermost_) {
      Item& end = items_[static_cast<std::size_t>(end_)];
      end.layer = last = std::max(last, end.layer);
    }
    layers_.resize(static_cast<std::size_t>(last) + 1);
  }

  // A picture of so many long ways is not read anyway; they are then drawn across.
  static constexpr std::int64_t kBendsMax = 200'000;

  void make_bends() {
    std::int64_t left = kBendsMax;
    for (Edge& edge : edges_) {
      if (edge.back) continue;
      edge.chain.push_back(edge.from);
      const int first = items_[static_cast<std::size_t>(edge.from)].layer + 1;
      int last = items_[static_cast<std::size_t>(edge.to)].layer;
      left -= last - first;
      if (left < 0) last = first;
      for (int layer = first; layer < last; ++layer) {
        Item bend;
        bend.layer = layer;
        bend.width = layer == first && !edge.label.empty()
                         ? text_width(shorten(edge.label, kLabelCharacters), kLabelSize) * 0.7
                         : 8;
        items_.push_back(std::move(bend));
        edge.chain.push_back(static_cast<int>(items_.size()) - 1);
      }
      edge.chain.push_back(edge.to);
      for (std::size_t k = 0; k + 1 < edge.chain.size(); ++k) {
        items_[static_cast<std::size_t>(edge.chain[k])].down.push_back(edge.chain[k + 1]);
        items_[static_cast<std::size_t>(edge.chain[k + 1])].up.push_back(edge.chain[k]);
      }
    }
    for (std::size_t i = 0; i < items_.size(); ++i) {
      layers_[static_cast<std::size_t>(items_[i].layer)].push_back(static_cast<int>(i));
    }
  }

  // Sweeps down and up; an item goes to the mean place of its neighbours in the layer before.
  void order_layers() {
    std::vector<double> place(items_.size(), 0);
    const auto number = [&](const std::vector<int>& layer) {
      for (std::size_t k = 0; k < layer.size(); ++k)
        place[static_cast<std::size_t>(layer[k])] = static_cast<double>(k);
    };
    for (const auto& layer : layers_) number(layer);
    const auto sweep = [&](std::vector<int>& layer, bool from_above) {
      std::vector<std::pair<double, int>> keyed;
      for (const int i : layer) {
        const Item& item = items_[static_cast<std::size_t>(i)];
        const auto& neighbours = from_above ? item.up : item.down;
        double sum = 0;
        for (const int n : neighbours) sum += place[static_cast<std::size_t>(n)];
        keyed.emplace_back(neighbours.empty() ? place[static_cast<std::size_t>(i)]
                                              : sum / static_cast<double>(neighbours.size()),
                           i);
      }
      std::stable_sort(keyed.begin(), keyed.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      for (std::size_t k = 0; k < keyed.size(); ++k) layer[k] = keyed[k].second;
      number(layer);
    };
    for (int round = 0; round < 6; ++round) {
      for (std::size_t l = 1; l < layers_.size(); ++l) sweep(layers_[l], true);
      for (std::size_t l = layers_.size() - 1; l-- > 0;) sweep(layers_[l], false);
    }
    for (std::size_t l = 1; l < layers_.size(); ++l) sweep(layers_[l], true);
  }

  // The places nearest to the wished ones, in least squares, that keep order and gaps: pooling adjacent
  // violators on the wish less the room that must lie to the left.
  void settle(const std::vector<int>& layer, const std::vector<double>& wishes) {
    struct Pool {
      double sum, weight;
      std::size_t count;
      double mean() const { return sum / weight; }
    };
    std::vector<double> room(layer.size(), 0);
    std::vector<Pool> pools;
    for (std::size_t k = 0; k < layer.size(); ++k) {
      const Item& item = items_[static_cast<std::size_t>(layer[k])];
      if (k > 0) {
        const Item& left = items_[static_cast<std::size_t>(layer[k - 1])];
        const double gap = left.box < 0 && item.box < 0 ? kLaneGap : kColumnGap;
        room[k] = room[k - 1] + (left.width + item.width) / 2 + gap;
      }
      const double weight = item.box < 0 ? 4.0 : 1.0;  // long ways are best straight
      pools.push_back({(wishes[k] - room[k]) * weight, weight, 1});
      while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
        const Pool last = pools.back();
        pools.pop_back();
        pools.back().sum += last.sum;
        pools.back().weight += last.weight;
        pools.back().count += last.count;
      }
    }
    std::size_t k = 0;
    for (const Pool& pool : pools) {
      for (std::size_t i = 0; i < pool.count; ++i, ++k) {
        items_[static_cast<std::size_t>(layer[k])].x = pool.mean() + room[k];
      }
    }
  }

  void place_columns() {
    for (const auto& layer : layers_) settle(layer, std::vector<double>(layer.size(), 0));
    const auto pull = [&](const std::vector<int>& layer, bool up, bool down) {
      std::vector<double> wishes;
      for (const int i : layer) {
        const Item& item = items_[static_cast<std::size_t>(i)];
        double sum = 0, weight = 0;
        const auto add = [&](const std::vector<int>& neighbours) {
          for (const int n : neighbours) {
            const Item& other = items_[static_cast<std::size_t>(n)];
            const double w = item.box < 0 && other.box < 0 ? 6.0 : 1.0;
            sum += other.x * w;
            weight += w;
          }
        };
        if (up) add(item.up);
        if (down) add(item.down);
        wishes.push_back(weight == 0 ? item.x : sum / weight);
      }
      settle(layer, wishes);
    };
    for (int round = 0; round < 10; ++round) {
      for (std::size_t l = 1; l < layers_.size(); ++l) pull(layers_[l], true, round > 5);
      for (std::size_t l = layers_.size() - 1; l-- > 0;) pull(layers_[l], round > 5, true);
    }
  }

  void place_rows() {
    std::vector<bool> labelled(layers_.size() + 1, false);
    for (const Edge& edge : edges_) {
      if (edge.label.empty()) continue;
      const auto from = static_cast<std::size_t>(items_[static_cast<std::size_t>(edge.from)].layer);
      labelled[from] = true;
    }
    double y = kMargin;
    for (const Edge& edge : edges_) {
      if (edge.back && items_[static_cast<std::size_t>(edge.to)].layer == 0) y = kMargin + kLaneGap;
    }
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      double height = 0;
      for (const int i : layers_[l]) height = std::max(height, items_[static_cast<std::size_t>(i)].height);
      row_top_.push_back(y);
      row_height_.push_back(height);
      y += height + (labelled[l] ? kLabelledGap : kLayerGap);
    }
  }

  void shift_to_margin() {
    double left = 1e300, right = -1e300;
    for (const Item& item : items_) {
      left = std::min(left, item.x - item.width / 2);
      right = std::max(right, item.x + item.width / 2);
    }
    for (Item& item : items_) item.x += kMargin - left;
    for (Box& box : boxes_) box.x += kMargin - left;
    right_ = right - left + kMargin;
  }

  // Where a way that leaves a box below begins: spread, in the order of where they go.
  void place_ports() {
    std::vector<std::vector<Edge*>> leaving(items_.size());
    for (Edge& edge : edges_) {
      if (!edge.back) leaving[static_cast<std::size_t>(edge.from)].push_back(&edge);
    }
    for (std::size_t i = 0; i < leaving.size(); ++i) {
      std::vector<Edge*>& out = leaving[i];
      const auto goal = [&](const Edge* edge) { return items_[static_cast<std::size_t>(edge->chain[1])].x; };
      std::stable_sort(out.begin(), out.end(),
                       [&](const Edge* a, const Edge* b) { return goal(a) < goal(b); });
      const double step =
          std::min(26.0, items_[i].width * 0.8 / static_cast<double>(std::max<std::size_t>(1, out.size())));
      for (std::size_t k = 0; k < out.size(); ++k) {
        out[k]->port =
            items_[i].x + (static_cast<double>(k) - static_cast<double>(out.size() - 1) / 2) * step;
      }
    }
  }

  double bottom(const Box& box) const { return box.y + box.height; }

  Way forward_way(const Edge& edge) const {
    Way way;
    way.kind = edge.kind;
    way.label = edge.label;
    const Box& from = boxes_[static_cast<std::size_t>(edge.from)];
    const Box& to = boxes_[static_cast<std::size_t>(edge.to)];
    const double port = edge.port;
    way.points.push_back({port, bottom(from)});
    const auto from_layer = static_cast<std::size_t>(items_[static_cast<std::size_t>(edge.from)].layer);
    const double row_bottom = row_top_[from_layer] + row_height_[from_layer];
    if (row_bottom > bottom(from))
      way.points.push_back({port, row_bottom});  // past taller boxes of its layer
    for (std::size_t k = 1; k + 1 < edge.chain.size(); ++k) {
      const Item& bend = items_[static_cast<std::size_t>(edge.chain[k])];
      const auto layer = static_cast<std::size_t>(bend.layer);
      way.points.push_back({bend.x, row_top_[layer]});
      way.points.push_back({bend.x, row_top_[layer] + row_height_[layer]});
    }
    const double x = items_[static_cast<std::size_t>(edge.to)].x;
    const auto to_layer = static_cast<std::size_t>(items_[static_cast<std::size_t>(edge.to)].layer);
    if (row_top_[to_layer] < to.y) way.points.push_back({x, row_top_[to_layer]});
    way.points.push_back({x, to.y});
    return way;
  }

  // Below the state, out to a lane on the right, up, and into the target from above. Where nothing stands on
  // the right of the two this is wider than it has to be, but it never crosses a state.
  Way backward_way(const Edge& edge) {
    Way way;
    way.kind = edge.kind;
    way.label = edge.label;
    way.back = true;
    const Box& from = boxes_[static_cast<std::size_t>(edge.from)];
    const Box& to = boxes_[static_cast<std::size_t>(edge.to)];
    const auto from_layer = static_cast<std::size_t>(items_[static_cast<std::size_t>(edge.from)].layer);
    const auto to_layer = static_cast<std::size_t>(items_[static_cast<std::size_t>(edge.to)].layer);
    const double offset = static_cast<double>(lanes_ % 3) * 4;
    const double lane = right_ + kLaneGap * ++lanes_;
    const double below = row_top_[from_layer] + row_height_[from_layer] + 10 + offset;
    const double above = row_top_[to_layer] - 10 - offset;
    const double out_x = from.x + from.width - 14 - offset, in_x = to.x + to.width - 14 - offset;
    way.points = {{out_x, bottom(from)}, {out_x, below}, {lane, below},
                  {lane, above},         {in_x, above},  {in_x, to.y}};
    lowest_back_ = lowest_back_ || from_layer + 1 == layers_.size();
    return way;
  }

  // A text stands on the first slanted or long part of its way, where no other text stands.
  static void place_labels(std::vector<Way>& ways) {
    struct Area {
      double x, y, half;
    };
    std::vector<Area> taken;
    for (Way& way : ways) {
      if (way.label.empty()) continue;
      const double half = text_width(shorten(way.label, kLabelCharacters), kLabelSize) / 2 + 3;
      Point a = way.points[way.points.size() > 2 && way.points[0].x == way.points[1].x && !way.back &&
                                   way.points.size() % 2 == 1
                               ? 1
                               : 0];
      Point b = way.points[way.points.size() > 2 && way.points[0].x == way.points[1].x && !way.back &&
                                   way.points.size() % 2 == 1
                               ? 2
                               : 1];
      if (way.back) {
        a = way.points[1];
        b = way.points[2];
      }
      const auto at = [&](double t) {
        if (way.back) return Point{a.x + 20 + half, a.y + 1};
        const double s = t * t * (3 - 2 * t);  // a curve that leaves and arrives vertically
        return Point{a.x + (b.x - a.x) * s, a.y + (b.y - a.y) * t};
      };
      way.label_at = at(0.6);
      for (const double t : {0.6, 0.35, 0.8, 0.5, 0.2}) {
        const Point p = at(t);
        const bool free = std::none_of(taken.begin(), taken.end(), [&](const Area& area) {
          return std::fabs(area.x - p.x) < area.half + half && std::fabs(area.y - p.y) < 13;
        });
        if (!free) continue;
        way.label_at = p;
        break;
      }
      taken.push_back({way.label_at.x, way.label_at.y, half});
    }
  }

  const Program* program_ = nullptr;  // null: of boxes that are no states
  bool outermost_;
  int start_ = -1, end_ = -1;
  std::vector<Box> boxes_;
  std::vector<Item> items_;
  std::vector<Edge> edges_;
  std::vector<std::vector<int>> layers_;
  std::vector<double> row_top_, row_height_;
  double right_ = 0;
  int lanes_ = 0;
  bool lowest_back_ = false;
};

}  // namespace

double text_width(std::string_view text, double font_size) {
  double width = 0;
  while (!text.empty()) {
    char32_t c = 0;
    const std::size_t bytes = std::max<std::size_t>(1, decode_utf8(text, c));
    const bool narrow = c < 0x80 && std::string_view("iljtfI.,:;'|()[] ").find(static_cast<char>(c)) !=
                                        std::string_view::npos;
    const bool wide = c >= 0x1100 || (c < 0x80 && std::string_view("mwMW@%").find(static_cast<char>(c)) !=
                                                      std::string_view::npos);
    width += narrow ? 0.36 : c >= 0x2E80 ? 1.0 : wide ? 0.86 : 0.58;
    text.remove_prefix(bytes);
  }
  return width * font_size;
}

Layout layout_of(const std::vector<PlainBox>& boxes, const std::vector<PlainWay>& ways) {
  if (boxes.empty()) return {};
  return Layering(boxes, ways).finish();
}

Layout layout_of(const Program& program, bool outermost) {
  if (program.nodes.empty()) return {};
  return Layering(program, outermost).finish();
}

}  // namespace millrace::cli
