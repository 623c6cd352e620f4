#include "tasks/trees/grow.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <queue>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "tasks/trees/split.h"

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kTogetherRows = 16384;                // fewer rows are not worth several threads
constexpr std::size_t kAskAfter = std::size_t(1) << 27;     // additions: some tenths of a second
constexpr std::size_t kHeldBytes = std::size_t(256) << 20;  // histograms that a queue of leaves may hold
constexpr std::size_t kGroupBytes = kHeldBytes / 32;        // and a group of nodes of ranks

// A node that is not split yet.
struct OpenNode {
  std::int32_t node = 0;
  std::size_t begin = 0, count = 0;
  std::size_t all = 0;  // rows of all ranks
  int depth = 0;
  NodeSums sums;
  std::vector<Sum> histogram;
  std::vector<std::uint32_t> path;  // features of the splits above, when interactions are constrained
  std::uint64_t id = 1;             // of its place in the tree
  Split split;
};

// `share` of the features, at least one, ascending.
std::vector<std::uint32_t> sample_features(std::vector<std::uint32_t> features, double share,
                                           std::uint64_t key) {
  if (share >= 1 || features.size() < 2) return features;
  const auto count = std::max<std::size_t>(1, static_cast<std::size_t>(share * double(features.size())));
  Random random(key);
  for (std::size_t k = 0; k < count; ++k)
    std::swap(features[k], features[k + random.below(features.size() - k)]);
  features.resize(count);
  std::ranges::sort(features);
  return features;
}

// Level by level, left before right: the numbers then depend on the tree alone.
Tree in_level_order(const Tree& tree) {
  Tree ordered;
  std::vector<std::int32_t> order{0};
  std::vector<std::int32_t> number(tree.nodes.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    const Node& node = tree.nodes[static_cast<std::size_t>(order[k])];
    number[static_cast<std::size_t>(order[k])] = static_cast<std::int32_t>(k);
    if (node.left >= 0) order.push_back(node.left), order.push_back(node.right);
  }
  for (const std::int32_t old : order) {
    Node node = tree.nodes[static_cast<std::size_t>(old)];
    if (node.parent >= 0) node.parent = number[static_cast<std::size_t>(node.parent)];
    if (node.left >= 0) {
      node.left = number[static_cast<std::size_t>(node.left)];
      node.right = number[static_cast<std::size_t>(node.right)];
    }
    ordered.nodes.push_back(node);
  }
  return ordered;
}

}  // namespace

struct Grower::Work {
  Grower& grower;
  const Bins& bins;
  const GrowSettings& settings;
  Team& team;
  const Gradients& gradients;
  std::uint64_t key;
  float* scores;
  const LeafValue& leaf_value;
  const Cancelled& cancelled;
  std::uint32_t* rows;
  std::uint32_t* right;
  std::vector<std::uint32_t> features = {};  // of this tree
  std::vector<std::uint32_t> columns = {};   // that hold them
  bool all_rows = false;                     // rows are 0, 1, 2, … until the first partition
  std::thread::id caller = std::this_thread::get_id();
  std::size_t additions = 0;  // of the caller since it asked
  std::atomic<bool> stop{false};

  std::vector<Sum> borrow();
  void give_back(std::vector<Sum>&& histogram);
  void begin();
  void ask(std::size_t more);
  void fill(const OpenNode& open, bool together, std::vector<Sum>& out);
  void choose(OpenNode& open, bool together);
  std::vector<std::uint32_t> features_at(const OpenNode& open) const;
  bool may_split(const OpenNode& open) const;
  void set_node(const OpenNode& open, Tree& tree) const;
  void close(const OpenNode& open, Tree& tree, bool together);
  std::size_t part(const OpenNode& open, const Route& route, bool together);
  void child_of(const OpenNode& parent, bool is_left, OpenNode& child, Tree& tree) const;
  bool expand(OpenNode& open, Tree& tree, bool together, OpenNode& left, OpenNode& right_child);
  void histograms_of(OpenNode& parent, OpenNode& left, OpenNode& right_child, bool together);
  OpenNode root(std::size_t count, Tree& tree);
  void sum(std::span<Sum> values);
  bool many(const OpenNode& open) const { return team.size() > 1 && open.count >= kTogetherRows; }
  void count_left(std::span<OpenNode* const> lefts, std::span<OpenNode* const> rights);
  void sum_histograms(std::span<OpenNode* const> nodes);
  void sum_histogram(OpenNode& node);
  void fill_children(std::vector<OpenNode>& parents, std::vector<OpenNode>& children);
  void split_group(std::vector<OpenNode> group, Tree& tree, std::vector<std::vector<OpenNode>>& groups);
  Tree by_groups(std::size_t count);
  void run(OpenNode first, Tree& tree, bool together, std::size_t least_rows, std::vector<OpenNode>* pending);
  Tree level_wise(std::size_t count);
  Tree by_queue(std::size_t count);
};

std::vector<Sum> Grower::Work::borrow() {
  {
    const std::lock_guard lock(grower.histograms_mutex_);
    if (!grower.histograms_.empty()) {
      std::vector<Sum> histogram = std::move(grower.histograms_.back());
      grower.histograms_.pop_back();
      return histogram;
    }
  }
  return std::vector<Sum>(bins.histogram_size());
}

void Grower::Work::give_back(std::vector<Sum>&& histogram) {
  if (histogram.empty()) return;
  const std::lock_guard lock(grower.histograms_mutex_);
  grower.histograms_.push_back(std::move(histogram));
}

void Grower::Work::begin() {
  std::vector<std::uint32_t> all;
  for (std::uint32_t f = 0; f < bins.features().size(); ++f) {
    if (bins.features()[f].bins > 1) all.push_back(f);
  }
  features = sample_features(std::move(all), settings.columns_by_tree, mix(key, 1));
  for (const std::uint32_t f : features) columns.push_back(bins.features()[f].column);
  std::ranges::sort(columns);
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
}

void Grower::Work::ask(std::size_t more) {
  if (std::this_thread::get_id() != caller) return;
  additions += more;
  if (additions < kAskAfter) return;
  additions = 0;
  if (cancelled && cancelled()) stop = true;
}

void Grower::Work::fill(const OpenNode& open, bool together, std::vector<Sum>& out) {
  const auto add = [&](std::size_t begin, std::size_t count, std::vector<Sum>& sums) {
    const bool first = all_rows && open.depth == 0;
    add_rows(bins, gradients.words.data(), first ? nullptr : rows + open.begin + begin, begin, count,
             columns.data(), columns.size(), sums.data());
  };
  ask(open.count * columns.size());
  out.assign(out.size(), 0);
  if (!together) return add(0, open.count, out);
  std::vector<std::vector<Sum>> parts(static_cast<std::size_t>(team.size()));
  team.blocks(open.count, kTogetherRows / 2, [&](std::size_t begin, std::size_t end, int member) {
    std::vector<Sum>& mine = parts[static_cast<std::size_t>(member)];
    if (member > 0 && mine.empty()) mine = borrow(), mine.assign(mine.size(), 0);
    add(begin, end - begin, member > 0 ? mine : out);
  });
  for (std::vector<Sum>& part : parts) {
    for (std::size_t k = 0; k < part.size(); ++k) out[k] += part[k];
    give_back(std::move(part));
  }
}

std::vector<std::uint32_t> Grower::Work::features_at(const OpenNode& open) const {
  auto list = sample_features(features, settings.columns_by_level,
                              mix(mix(key, 2), static_cast<std::uint64_t>(open.depth)));
  list = sample_features(std::move(list), settings.columns_by_node, mix(mix(key, 3), open.id));
  if (settings.interactions.empty() || open.path.empty()) return list;
  const auto holds = [](const std::vector<std::uint32_t>& set, std::uint32_t f) {
    return std::ranges::find(set, f) != set.end();
  };
  std::erase_if(list, [&](std::uint32_t f) {
    if (holds(open.path, f)) return false;
    return std::ranges::none_of(settings.interactions, [&](const auto& set) {
      return holds(set, f) && std::ranges::all_of(open.path, [&](std::uint32_t p) { return holds(set, p); });
    });
  });
  return list;
}

void Grower::Work::choose(OpenNode& open, bool together) {
  const bool sampled = settings.columns_by_level < 1 || settings.columns_by_node < 1 || !open.path.empty();
  const std::vector<std::uint32_t> chosen = sampled ? features_at(open) : std::vector<std::uint32_t>();
  const std::vector<std::uint32_t>& list = sampled ? chosen : features;
  open.split = Split();
  const auto search = [&](std::size_t begin, std::size_t end) {
    Split best;
    for (std::size_t k = begin; k < end; ++k) {
      const Split found = best_split_of(settings, bins, list[k], open.histogram.data(), open.sums, best.gain);
      if (found.gain > best.gain) best = found;
    }
    return best;
  };
  if (!together || list.size() < 8) {
    open.split = search(0, list.size());
    return;
  }
  std::vector<Split> best((list.size() + 3) / 4);
  team.blocks(list.size(), 4,
              [&](std::size_t begin, std::size_t end, int) { best[begin / 4] = search(begin, end); });
  for (const Split& split : best) {
    if (split.gain > open.split.gain) open.split = split;  // the lower feature of equals
  }
}

bool Grower::Work::may_split(const OpenNode& open) const {
  if (settings.max_depth > 0 && open.depth >= settings.max_depth) return false;
  return open.all >= 2 &&
         hessian_of(open.sums.total) * open.sums.unit_hessian >= 2 * settings.min_child_weight;
}

void Grower::Work::set_node(const OpenNode& open, Tree& tree) const {
  Node& node = tree.nodes[static_cast<std::size_t>(open.node)];
  const double gradient = gradient_of(open.sums.total) * open.sums.unit_gradient;
  const double hessian = hessian_of(open.sums.total) * open.sums.unit_hessian;
  const double weight = node_weight(settings, gradient, hessian, open.sums.bounds);
  node.cover = static_cast<float>(hessian);
  node.weight = static_cast<float>(weight);
  node.condition = static_cast<float>(weight * settings.learning_rate);
}

void Grower::Work::close(const OpenNode& open, Tree& tree, bool together) {
  Node& node = tree.nodes[static_cast<std::size_t>(open.node)];
  if (leaf_value && open.all > 0) {
    const double value = leaf_value({rows + open.begin, open.count});
    node.weight = static_cast<float>(value);
    node.condition = static_cast<float>(value * settings.learning_rate);
  }
  const float value = node.condition;
  const auto add = [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t k = begin; k < end; ++k) scores[rows[open.begin + k]] += value;
  };
  if (together)
    team.blocks(open.count, kTogetherRows, add);
  else
    add(0, open.count, 0);
}

std::size_t Grower::Work::part(const OpenNode& open, const Route& route, bool together) {
  std::uint32_t* const mine = rows + open.begin;
  std::uint32_t* const spare = right + open.begin;
  if (!together) {
    const std::size_t lefts = split_rows(bins, route, mine, open.count, spare);
    std::copy_n(spare, open.count - lefts, mine + lefts);
    return lefts;
  }
  // Each thread its stretch; then the lefts move up, in their order, and the rights behind them.
  const auto stretches = static_cast<std::size_t>(team.size());
  const std::size_t length = (open.count + stretches - 1) / stretches;
  const auto begin_of = [&](std::size_t s) { return std::min(s * length, open.count); };
  std::vector<std::size_t> lefts(stretches), right_at(stretches);
  team.each(stretches, [&](std::size_t s, int) {
    lefts[s] =
        split_rows(bins, route, mine + begin_of(s), begin_of(s + 1) - begin_of(s), spare + begin_of(s));
  });
  std::size_t at = 0;
  for (std::size_t s = 0; s < stretches; ++s) {
    if (lefts[s] > 0) std::memmove(mine + at, mine + begin_of(s), lefts[s] * sizeof *mine);
    at += lefts[s];
  }
  const std::size_t all_lefts = at;
  for (std::size_t s = 0; s < stretches; ++s)
    right_at[s] = at, at += begin_of(s + 1) - begin_of(s) - lefts[s];
  team.each(stretches, [&](std::size_t s, int) {
    std::copy_n(spare + begin_of(s), begin_of(s + 1) - begin_of(s) - lefts[s], mine + right_at[s]);
  });
  return all_lefts;
}

void Grower::Work::child_of(const OpenNode& parent, bool is_left, OpenNode& child, Tree& tree) const {
  child.depth = parent.depth + 1;
  child.sums = parent.sums;
  child.sums.total = is_left ? parent.split.left : parent.sums.total - parent.split.left;
  child.id = mix(parent.id, is_left ? 1 : 2);
  if (!settings.interactions.empty()) {
    child.path = parent.path;
    child.path.push_back(parent.split.feature);
  }
  child.node = static_cast<std::int32_t>(tree.nodes.size());
  tree.nodes.emplace_back().parent = parent.node;
}

// Splits the node. False when both children are leaves and done.
bool Grower::Work::expand(OpenNode& open, Tree& tree, bool together, OpenNode& left, OpenNode& right_child) {
  child_of(open, true, left, tree);
  child_of(open, false, right_child, tree);
  Node& node = tree.nodes[static_cast<std::size_t>(open.node)];
  node.left = left.node, node.right = right_child.node;
  node.feature = open.split.feature, node.condition = condition_of(bins, open.split);
  node.missing_left = open.split.missing_left, node.gain = static_cast<float>(open.split.gain);
  const int monotone =
      open.split.feature < settings.monotone.size() ? settings.monotone[open.split.feature] : 0;
  if (monotone != 0) {
    const auto weight = [&](const OpenNode& child) {
      return node_weight(settings, gradient_of(child.sums.total) * child.sums.unit_gradient,
                         hessian_of(child.sums.total) * child.sums.unit_hessian, child.sums.bounds);
    };
    const double middle = (weight(left) + weight(right_child)) / 2;
    (monotone > 0 ? left : right_child).sums.bounds.high = middle;
    (monotone > 0 ? right_child : left).sums.bounds.low = middle;
  }
  set_node(left, tree), set_node(right_child, tree);
  const Route route = route_of(bins, open.split);
  left.all = right_child.all = open.all;  // not known yet, and at least that of the child
  if (!leaf_value && !may_split(left) && !may_split(right_child)) {
    const float a = tree.nodes[static_cast<std::size_t>(left.node)].condition,
                b = tree.nodes[static_cast<std::size_t>(right_child.node)].condition;
    const auto add = [&](std::size_t begin, std::size_t end, int) {
      add_split(bins, route, rows + open.begin + begin, end - begin, a, b, scores);
    };
    if (together)
      team.blocks(open.count, kTogetherRows, add);
    else
      add(0, open.count, 0);
    return false;
  }
  left.count = part(open, route, together);
  left.begin = open.begin;
  right_child.begin = open.begin + left.count, right_child.count = open.count - left.count;
  left.all = left.count, right_child.all = right_child.count;
  return true;
}

// Over all ranks.
void Grower::Work::sum(std::span<Sum> values) {
  if (grower.ranks_ && !grower.ranks_->collective.sum(values)) stop = true;
}

// How many rows of all ranks went to the children of one parent each.
void Grower::Work::count_left(std::span<OpenNode* const> lefts, std::span<OpenNode* const> rights) {
  std::vector<Sum> counts;
  for (const OpenNode* open : lefts) counts.push_back(static_cast<Sum>(open->all));
  for (const OpenNode* open : rights) counts.push_back(static_cast<Sum>(open->all));
  sum(counts);
  for (std::size_t k = 0; k < lefts.size(); ++k) {
    lefts[k]->all = static_cast<std::size_t>(counts[k]);
    rights[k]->all = static_cast<std::size_t>(counts[lefts.size() + k]);
  }
}

// The histograms of nodes, side by side.
void Grower::Work::sum_histograms(std::span<OpenNode* const> nodes) {
  if (!grower.ranks_) return;
  const std::size_t size = bins.histogram_size();
  std::vector<Sum> all(nodes.size() * size);
  for (std::size_t k = 0; k < nodes.size(); ++k)
    std::copy(nodes[k]->histogram.begin(), nodes[k]->histogram.end(),
              all.begin() + static_cast<std::ptrdiff_t>(k * size));
  sum(all);
  for (std::size_t k = 0; k < nodes.size(); ++k)
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(k * size), size, nodes[k]->histogram.begin());
}

void Grower::Work::sum_histogram(OpenNode& node) {
  OpenNode* const one[] = {&node};
  sum_histograms(one);
}

// The smaller child's rows are summed up, the larger one is the rest of its parent's.
void Grower::Work::histograms_of(OpenNode& parent, OpenNode& left, OpenNode& right_child, bool together) {
  if (!may_split(left) && !may_split(right_child)) return give_back(std::move(parent.histogram));
  OpenNode& small = left.all <= right_child.all ? left : right_child;
  OpenNode& large = &small == &left ? right_child : left;
  small.histogram = borrow();
  fill(small, together, small.histogram);
  sum_histogram(small);
  if (parent.histogram.empty()) {
    large.histogram = borrow();
    fill(large, together, large.histogram);
    sum_histogram(large);
    return;
  }
  large.histogram = std::move(parent.histogram);
  Sum* a = large.histogram.data();
  const Sum* b = small.histogram.data();
  for (std::size_t k = 0; k < large.histogram.size(); ++k) a[k] -= b[k];
}

OpenNode Grower::Work::root(std::size_t count, Tree& tree) {
  tree.nodes.emplace_back();
  OpenNode open;
  open.count = count, open.all = count;
  open.sums.unit_gradient = gradients.unit_gradient, open.sums.unit_hessian = gradients.unit_hessian;
  open.sums.bounds = {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  std::vector<Sum> totals((count + kTogetherRows - 1) / kTogetherRows);
  team.blocks(count, kTogetherRows, [&](std::size_t begin, std::size_t end, int) {
    Sum total = 0;
    for (std::size_t k = begin; k < end; ++k) total += gradients.words[rows[k]];
    totals[begin / kTogetherRows] = total;
  });
  open.sums.total = std::accumulate(totals.begin(), totals.end(), Sum(0));
  if (grower.ranks_) {
    Sum all[] = {open.sums.total, static_cast<Sum>(count)};
    sum(all);
    open.sums.total = all[0], open.all = static_cast<std::size_t>(all[1]);
  }
  set_node(open, tree);
  return open;
}

void Grower::Work::run(OpenNode first, Tree& tree, bool together, std::size_t least_rows,
                       std::vector<OpenNode>* pending) {
  std::vector<OpenNode> stack;
  stack.push_back(std::move(first));
  while (!stack.empty() && !stop) {
    OpenNode open = std::move(stack.back());
    stack.pop_back();
    if (may_split(open)) {
      if (pending && open.count < least_rows) {
        pending->push_back(std::move(open));
        continue;
      }
      choose(open, together);
    }
    OpenNode left, right_child;
    if (open.split.gain <= 0) {
      close(open, tree, together);
      give_back(std::move(open.histogram));
    } else if (expand(open, tree, together, left, right_child)) {
      histograms_of(open, left, right_child, together);
      // The smaller child first: the larger holds the parent's histogram, so few are held.
      const bool left_small = left.count <= right_child.count;
      stack.push_back(std::move(left_small ? right_child : left));
      stack.push_back(std::move(left_small ? left : right_child));
    } else {
      give_back(std::move(open.histogram));
    }
  }
}

Tree Grower::Work::level_wise(std::size_t count) {
  Tree tree;
  OpenNode first = root(count, tree);
  const bool together = team.size() > 1 && count >= kTogetherRows;
  if (may_split(first)) first.histogram = borrow(), fill(first, together, first.histogram);
  if (!together) {
    run(std::move(first), tree, false, 0, nullptr);
    return in_level_order(tree);
  }
  std::vector<OpenNode> pending;
  run(std::move(first), tree, true,
      std::max(kTogetherRows, count / (4 * static_cast<std::size_t>(team.size()))), &pending);
  std::ranges::stable_sort(pending, [](const auto& a, const auto& b) { return a.count > b.count; });
  std::vector<Tree> below(pending.size());
  std::vector<std::int32_t> places;
  for (const OpenNode& open : pending) places.push_back(open.node);
  team.each(pending.size(), [&](std::size_t k, int) {
    OpenNode open = std::move(pending[k]);
    below[k].nodes.push_back(tree.nodes[static_cast<std::size_t>(open.node)]);
    open.node = 0;
    run(std::move(open), below[k], false, 0, nullptr);
  });
  for (std::size_t k = 0; k < below.size(); ++k) {
    // Node 0 stands in its place, the others go to the end.
    const std::int32_t shift = static_cast<std::int32_t>(tree.nodes.size()) - 1;
    const auto moved = [&](std::int32_t n) { return n <= 0 ? (n < 0 ? n : places[k]) : n + shift; };
    for (std::size_t n = 0; n < below[k].nodes.size(); ++n) {
      Node node = below[k].nodes[n];
      node.left = moved(node.left), node.right = moved(node.right);
      if (n > 0) node.parent = moved(node.parent);
      if (n == 0)
        tree.nodes[static_cast<std::size_t>(places[k])] = node;
      else
        tree.nodes.push_back(node);
    }
  }
  return in_level_order(tree);
}

// The children that may be split get their histograms: the smaller of two from its rows, the larger what is
// left of its parent's. `children` are the two of each parent, one behind the other.
void Grower::Work::fill_children(std::vector<OpenNode>& parents, std::vector<OpenNode>& children) {
  std::vector<OpenNode*> lefts, rights, small;
  for (std::size_t k = 0; k < children.size(); k += 2)
    lefts.push_back(&children[k]), rights.push_back(&children[k + 1]);
  count_left(lefts, rights);
  for (std::size_t k = 0; k < parents.size(); ++k) {
    if (!may_split(*lefts[k]) && !may_split(*rights[k])) continue;
    small.push_back(lefts[k]->all <= rights[k]->all ? lefts[k] : rights[k]);
    small.back()->histogram = borrow();
    fill(*small.back(), many(*small.back()), small.back()->histogram);
  }
  sum_histograms(small);
  for (std::size_t k = 0; k < parents.size(); ++k) {
    OpenNode *one = lefts[k], *other = rights[k];
    if (one->histogram.empty()) std::swap(one, other);
    if (one->histogram.empty()) {
      give_back(std::move(parents[k].histogram));
      continue;
    }
    other->histogram = std::move(parents[k].histogram);
    for (std::size_t b = 0; b < other->histogram.size(); ++b) other->histogram[b] -= one->histogram[b];
  }
}

void Grower::Work::split_group(std::vector<OpenNode> group, Tree& tree,
                               std::vector<std::vector<OpenNode>>& groups) {
  std::vector<OpenNode> parents, children;
  for (OpenNode& open : group) {
    if (may_split(open)) choose(open, team.size() > 1);
    OpenNode left, right_child;
    if (open.split.gain <= 0) {
      close(open, tree, many(open));
      give_back(std::move(open.histogram));
    } else if (expand(open, tree, many(open), left, right_child)) {
      parents.push_back(std::move(open));
      children.push_back(std::move(left)), children.push_back(std::move(right_child));
    } else {
      give_back(std::move(open.histogram));
    }
  }
  if (parents.empty()) return;
  fill_children(parents, children);
  const std::size_t most =
      std::max<std::size_t>(1, kGroupBytes / std::max<std::size_t>(1, bins.histogram_size() * sizeof(Sum)));
  for (std::size_t begin = 0; begin < children.size(); begin += most) {
    const auto first = children.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, children.size() - begin));
    groups.emplace_back(std::make_move_iterator(first), std::make_move_iterator(first + count));
  }
}

// Of ranks: a level of the tree, or as much of it as may be held, is one step.
Tree Grower::Work::by_groups(std::size_t count) {
  Tree tree;
  std::vector<std::vector<OpenNode>> groups(1);
  groups[0].push_back(root(count, tree));
  OpenNode& first = groups[0][0];
  if (may_split(first)) {
    first.histogram = borrow(), fill(first, many(first), first.histogram);
    sum_histogram(first);
  }
  while (!groups.empty() && !stop) {
    std::vector<OpenNode> group = std::move(groups.back());
    groups.pop_back();
    split_group(std::move(group), tree, groups);
  }
  return in_level_order(tree);
}

Tree Grower::Work::by_queue(std::size_t count) {
  Tree tree;
  std::vector<OpenNode> open_nodes;  // all that were ever put into the queue
  std::size_t held = 0;
  const auto later = [&](std::size_t a, std::size_t b) {  // true when b comes before a
    const OpenNode &x = open_nodes[a], &y = open_nodes[b];
    if (settings.loss_guided && x.split.gain != y.split.gain) return x.split.gain < y.split.gain;
    if (!settings.loss_guided && x.depth != y.depth) return x.depth > y.depth;
    return a > b;
  };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> queue(later);
  const auto offer = [&](OpenNode open) {
    if (may_split(open)) choose(open, many(open));
    if (open.split.gain <= 0) {
      close(open, tree, many(open));
      return give_back(std::move(open.histogram));
    }
    held += open.histogram.size() * sizeof(Sum);
    if (held > kHeldBytes) {
      held -= open.histogram.size() * sizeof(Sum);
      give_back(std::exchange(open.histogram, {}));
    }
    open_nodes.push_back(std::move(open));
    queue.push(open_nodes.size() - 1);
  };
  OpenNode first = root(count, tree);
  if (may_split(first)) {
    first.histogram = borrow(), fill(first, many(first), first.histogram);
    sum_histogram(first);
  }
  offer(std::move(first));
  for (std::size_t leaves = 1; !queue.empty() && !stop; ++leaves) {
    const std::size_t at = queue.top();
    queue.pop();
    OpenNode open = std::move(open_nodes[at]);
    held -= open.histogram.size() * sizeof(Sum);
    if (settings.max_leaves > 0 && leaves >= static_cast<std::size_t>(settings.max_leaves)) {
      close(open, tree, many(open));
      give_back(std::move(open.histogram));
      continue;
    }
    OpenNode left, right_child;
    if (!expand(open, tree, many(open), left, right_child)) {
      give_back(std::move(open.histogram));
      continue;
    }
    if (grower.ranks_) {
      OpenNode* const pair[] = {&left, &right_child};
      count_left(std::span(pair).first(1), std::span(pair).last(1));
    }
    histograms_of(open, left, right_child, many(open));
    offer(std::move(left));
    offer(std::move(right_child));
  }
  return in_level_order(tree);
}

Grower::Grower(const Bins& bins, GrowSettings settings, Team& team, const RankRows* ranks)
    : bins_(bins), settings_(std::move(settings)), team_(team), ranks_(ranks) {}

Grower::~Grower() = default;

Tree Grower::grow(const Gradients& gradients, std::vector<std::uint32_t>& rows, std::uint64_t key,
                  float* scores, const LeafValue& leaf_value, const Cancelled& cancelled) {
  MR_CHECK(gradients.words.size() == bins_.rows(), "a gradient for each row");
  right_.resize(rows.size() + 16);
  Work work{*this,  bins_,      settings_, team_,       gradients,    key,
            scores, leaf_value, cancelled, rows.data(), right_.data()};
  work.all_rows = rows.size() == bins_.rows();
  work.begin();
  const bool queued = settings_.loss_guided || settings_.max_leaves > 0;
  if (queued) return work.by_queue(rows.size());
  return ranks_ ? work.by_groups(rows.size()) : work.level_wise(rows.size());
}

}  // namespace millrace::tasks::trees
