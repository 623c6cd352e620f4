#include "tasks/trees/forest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tasks/trees/grow.h"
#include "tasks/trees/split.h"
#include "tasks/trees/team.h"

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kAskRows = std::size_t(1) << 23;  // row visits between two questions whether to stop
constexpr std::uint16_t kDrawnMost = 60'000;
constexpr double kWholeMost = 1 << 30;     // of a sum in half a word
constexpr double kLeastForestGain = 1e-9;  // rounding errors are no gain

// What a node's rows weigh and what they are.
struct ForestNode {
  std::int32_t node = 0;
  std::size_t begin = 0, count = 0;
  int depth = 0;
  Sum total = 0;  // of numbers and two classes
};

}  // namespace

struct ForestGrower::Growth {
  const ForestGrower& forest;
  const ForestSettings& settings;
  const Bins& bins;
  Room& room;
  const std::function<bool()>& cancelled;
  Random random;
  ForestTree out = {};
  GrowSettings rules = {};
  NodeSums sums = {};
  std::vector<std::uint32_t> pure = {};  // by class: the row of shares of leaves that hold no other
  double all = 0;                        // weight of the tree's rows
  double weight = 0, square = 0;         // of the node's classes: their sum, and that of their squares
  std::size_t visits = 0;
  bool stopped = false;

  bool many() const { return settings.classes > 2; }
  void begin(std::uint64_t number);
  bool whole_words();
  void run();
  bool stays(const ForestNode& open);
  bool count_classes(const ForestNode& open);
  void make_leaf(const ForestNode& open);
  Split choose(const ForestNode& open);
  void fill_histogram(const ForestNode& open, std::span<const std::uint32_t> features);
  Split random_split(const ForestNode& open, std::uint32_t feature, bool& varies);
  Split class_split(const ForestNode& open, std::uint32_t feature, bool& varies);
  void scan_classes(std::uint32_t feature, bool missing_left, bool any_missing, Split& best);
  void collect(const ForestNode& open, std::uint32_t feature, bool& any_missing);
  bool varies_in_histogram(std::uint32_t feature) const;
  std::uint32_t draw_last(const Feature& feature, std::uint32_t low, std::uint32_t high);
  void ask(std::size_t more);
  std::uint32_t bin_of(const Feature& feature, std::uint32_t row) const {
    const std::uint32_t bin =
        bins.wide() ? bins.words()[row * bins.stride() + feature.column] : bins.column(feature.column)[row];
    return feature.digit.empty() ? bin : feature.digit[bin];
  }
};

ForestGrower::ForestGrower(const Bins& bins, ForestSettings settings, std::span<const float> y,
                           std::span<const float> weights)
    : bins_(bins), settings_(settings), y_(y), weights_(weights) {
  for (std::uint32_t f = 0; f < bins.features().size(); ++f) {
    if (bins.features()[f].bins > 1) features_.push_back(f);
  }
}

void ForestGrower::draw(std::uint64_t number, std::vector<std::uint16_t>& drawn) const {
  const std::size_t n = y_.size();
  drawn.assign(n, settings_.bootstrap ? 0 : 1);
  if (!settings_.bootstrap) return;
  Random random = Random(settings_.seed).derive("rows", number);
  const auto draws = std::max<std::size_t>(
      1, static_cast<std::size_t>(std::llround(settings_.samples * static_cast<double>(n))));
  for (std::size_t k = 0; k < draws; ++k) {
    std::uint16_t& times = drawn[random.below(n)];
    if (times < kDrawnMost) ++times;
  }
}

ForestTree ForestGrower::grow(std::uint64_t number, Room& room,
                              const std::function<bool()>& cancelled) const {
  Growth growth{*this, settings_, bins_, room, cancelled, Random(settings_.seed).derive("tree", number)};
  growth.begin(number);
  growth.run();
  return std::move(growth.out);
}

void ForestGrower::Growth::begin(std::uint64_t number) {
  const std::size_t n = forest.y_.size();
  forest.draw(number, room.drawn);
  room.rows.clear(), room.order = forest.features_;
  room.weights.resize(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    const float w = static_cast<float>(room.drawn[i]) * (forest.weights_.empty() ? 1.0f : forest.weights_[i]);
    room.weights[i] = w;
    if (w > 0) room.rows.push_back(i), all += static_cast<double>(w);
  }
  room.right.resize(room.rows.size() + 16);
  rules.lambda = 0, rules.min_child_weight = settings.min_leaf * settings.least_weight;
  rules.gamma = settings.least_decrease * all / (settings.classes == 2 ? 2 : 1);
  sums.bounds = {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  if (many()) {
    room.totals.resize(settings.classes), room.left.resize(settings.classes);
    return;
  }
  room.words.resize(n), room.histogram.resize(bins.histogram_size());
  if (whole_words()) return;
  room.pairs.resize(n);
  for (std::size_t i = 0; i < n; ++i) room.pairs[i] = {room.weights[i] * forest.y_[i], room.weights[i]};
  Team alone(1);
  const Units units =
      to_words(room.pairs, room.words, static_cast<std::uint32_t>(mix(settings.seed, number)), alone);
  sums.unit_gradient = units.gradient, sums.unit_hessian = units.hessian;
}

// Counts of classes are whole numbers already: sums without any rounding, so that what ties stays tied.
bool ForestGrower::Growth::whole_words() {
  if (settings.classes != 2 || all >= kWholeMost) return false;
  const auto whole = [](float w) { return w == std::floor(w); };
  if (!forest.weights_.empty() && !std::ranges::all_of(room.weights, whole)) return false;
  for (std::size_t i = 0; i < room.words.size(); ++i) {
    const auto w = static_cast<Sum>(room.weights[i]);
    room.words[i] = forest.y_[i] > 0.5f ? (w << 32) + w : w;
  }
  sums.unit_gradient = sums.unit_hessian = 1;
  return true;
}

void ForestGrower::Growth::ask(std::size_t more) {
  visits += more;
  if (visits < kAskRows) return;
  visits = 0;
  if (cancelled && cancelled()) stopped = true;
}

void ForestGrower::Growth::run() {
  std::vector<ForestNode> stack(1);
  stack[0].count = room.rows.size();
  for (const std::uint32_t i : room.rows)
    if (!many()) stack[0].total += room.words[i];
  out.tree.nodes.emplace_back();
  while (!stack.empty() && !stopped) {
    const ForestNode open = stack.back();
    stack.pop_back();
    ask(open.count);
    Split split;
    if (!stays(open)) split = choose(open);
    if (split.gain <= 0) {
      make_leaf(open);
      continue;
    }
    std::uint32_t* const mine = room.rows.data() + open.begin;
    const std::size_t lefts = split_rows(bins, route_of(bins, split), mine, open.count, room.right.data());
    std::copy_n(room.right.data(), open.count - lefts, mine + lefts);
    ForestNode left{static_cast<std::int32_t>(out.tree.nodes.size()), open.begin, lefts, open.depth + 1,
                    split.left};
    ForestNode right{left.node + 1, open.begin + lefts, open.count - lefts, open.depth + 1,
                     open.total - split.left};
    Node& node = out.tree.nodes[static_cast<std::size_t>(open.node)];
    node.left = left.node, node.right = right.node, node.feature = split.feature;
    node.condition = condition_of(bins, split), node.missing_left = split.missing_left;
    node.gain = static_cast<float>(split.gain);
    node.cover = static_cast<float>(many() ? weight : hessian_of(open.total) * sums.unit_hessian);
    out.tree.nodes.emplace_back().parent = open.node, out.tree.nodes.emplace_back().parent = open.node;
    stack.push_back(right), stack.push_back(left);
  }
}

// Sums of the node's classes; whether there is only one.
bool ForestGrower::Growth::count_classes(const ForestNode& open) {
  std::ranges::fill(room.totals, 0.0);
  for (std::size_t k = open.begin; k < open.begin + open.count; ++k) {
    const std::uint32_t i = room.rows[k];
    room.totals[static_cast<std::size_t>(forest.y_[i])] += static_cast<double>(room.weights[i]);
  }
  weight = square = 0;
  std::size_t classes = 0;
  for (const double total : room.totals) weight += total, square += total * total, classes += total > 0;
  return classes < 2;
}

bool ForestGrower::Growth::stays(const ForestNode& open) {
  if (many()) {
    if (count_classes(open)) return true;
  } else {
    sums.total = open.total;
    weight = hessian_of(open.total) * sums.unit_hessian;
    if (settings.classes == 2) {
      const double positive = gradient_of(open.total) * sums.unit_gradient;
      if (positive <= 0 || positive >= weight) return true;
    }
  }
  if (settings.max_depth > 0 && open.depth >= settings.max_depth) return true;
  return open.count < 2 || weight < settings.min_split * settings.least_weight ||
         weight < 2 * rules.min_child_weight;
}

void ForestGrower::Growth::make_leaf(const ForestNode& open) {
  Node& leaf = out.tree.nodes[static_cast<std::size_t>(open.node)];
  leaf.cover = static_cast<float>(weight);
  if (!many()) {
    const double mean = weight > 0 ? gradient_of(open.total) * sums.unit_gradient / weight : 0;
    leaf.condition = static_cast<float>(settings.classes == 2 ? std::clamp(mean, 0.0, 1.0) : mean);
    return;
  }
  const auto row = static_cast<std::uint32_t>(out.shares.size() / settings.classes);
  const auto only = std::ranges::find(room.totals, weight);  // most leaves of deep trees hold one class
  if (only != room.totals.end()) {
    pure.resize(settings.classes, UINT32_MAX);
    std::uint32_t& known = pure[static_cast<std::size_t>(only - room.totals.begin())];
    if (known == UINT32_MAX) known = row;
    leaf.feature = known;
    if (known != row) return;
  }
  leaf.feature = row;
  for (const double total : room.totals)
    out.shares.push_back(static_cast<float>(weight > 0 ? total / weight : 0));
}

void ForestGrower::Growth::fill_histogram(const ForestNode& open, std::span<const std::uint32_t> features) {
  std::vector<std::uint32_t> columns;
  for (const std::uint32_t f : features) columns.push_back(bins.features()[f].column);
  std::ranges::sort(columns);
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  for (const std::uint32_t c : columns) {
    const std::size_t size = bins.wide() ? bins.columns()[c].bins : kColumnBins;
    std::fill_n(room.histogram.begin() + static_cast<std::ptrdiff_t>(bins.columns()[c].offset), size, Sum(0));
  }
  add_rows(bins, room.words.data(), room.rows.data() + open.begin, 0, open.count, columns.data(),
           columns.size(), room.histogram.data());
}

// Whether the node's rows have more than one bin of the feature.
bool ForestGrower::Growth::varies_in_histogram(std::uint32_t number) const {
  const Feature& feature = bins.features()[number];
  const Column& column = bins.columns()[feature.column];
  std::uint32_t first = UINT32_MAX;
  for (std::uint32_t b = 0; b < column.bins; ++b) {
    if (room.histogram[column.offset + b] == 0) continue;
    const std::uint32_t own = feature.digit.empty() ? b : feature.digit[b];
    if (first != UINT32_MAX && own != first) return true;
    first = own;
  }
  return false;
}

// Features in an order drawn anew; as many as the settings say, and on until one of them varies.
Split ForestGrower::Growth::choose(const ForestNode& open) {
  std::vector<std::uint32_t>& order = room.order;
  const std::size_t wanted = std::min(settings.features, order.size());
  const bool histograms = !many() && !settings.random_thresholds;
  Split best;
  bool found = false;
  for (std::size_t k = 0; k < order.size() && (k < wanted || !found); ++k) {
    if (k == 0 && histograms) {
      for (std::size_t f = 0; f < wanted; ++f) std::swap(order[f], order[f + random.below(order.size() - f)]);
      fill_histogram(open, {order.data(), wanted});
    } else if (!histograms || k >= wanted) {
      std::swap(order[k], order[k + random.below(order.size() - k)]);
      if (histograms) fill_histogram(open, {order.data() + k, 1});
    }
    const std::uint32_t feature = order[k];
    bool varies = false;
    Split split;
    if (settings.random_thresholds) {
      split = random_split(open, feature, varies);
    } else if (many()) {
      split = class_split(open, feature, varies);
    } else {
      varies = varies_in_histogram(feature);
      if (varies) split = best_split_of(rules, bins, feature, room.histogram.data(), sums, best.gain);
    }
    found |= varies;
    if (split.gain > best.gain) best = split;
    ask(open.count);
  }
  return best;
}

// A threshold between the node's smallest and largest value, evenly by value: the nearest cut.
std::uint32_t ForestGrower::Growth::draw_last(const Feature& feature, std::uint32_t low, std::uint32_t high) {
  const auto cut = [&](std::uint32_t b) { return static_cast<double>(feature.cuts[b]); };
  if (high - low == 1) return low;
  double from = cut(low), to = cut(high - 1);
  from -= (cut(low + 1) - from) / 2, to += (to - cut(high - 2)) / 2;  // each end stands for its half, too
  const double at = random.uniform(from, to);
  const auto begin = feature.cuts.begin() + low, end = feature.cuts.begin() + high;
  const auto above = std::lower_bound(begin, end, at, [](float c, double x) { return double(c) < x; });
  if (above == begin) return low;
  if (above == end) return high - 1;
  const auto b = static_cast<std::uint32_t>(above - feature.cuts.begin());
  return at - cut(b - 1) < cut(b) - at ? b - 1 : b;
}

Split ForestGrower::Growth::random_split(const ForestNode& open, std::uint32_t number, bool& varies) {
  const Feature& feature = bins.features()[number];
  const std::uint32_t* const rows = room.rows.data() + open.begin;
  std::uint32_t low = UINT32_MAX, high = 0;
  bool missing = false;
  for (std::size_t k = 0; k < open.count; ++k) {
    const std::uint32_t bin = bin_of(feature, rows[k]);
    if (feature.missing && bin == feature.values) {
      missing = true;
      continue;
    }
    low = std::min(low, bin), high = std::max(high, bin);
  }
  Split split;
  split.feature = number;
  varies = low < high || (missing && low != UINT32_MAX);
  if (!varies) return split;
  split.missing_left = missing && low < high && random.below(2) == 1;
  split.last = low < high ? draw_last(feature, low, high) : feature.values - 1;
  const auto goes_left = [&](std::uint32_t bin) {
    return feature.missing && bin == feature.values ? split.missing_left : bin <= split.last;
  };
  if (many()) {
    std::ranges::fill(room.left, 0.0);
    for (std::size_t k = 0; k < open.count; ++k) {
      const std::uint32_t i = rows[k];
      if (goes_left(bin_of(feature, i)))
        room.left[static_cast<std::size_t>(forest.y_[i])] += static_cast<double>(room.weights[i]);
    }
    double left = 0, left_square = 0, right_square = 0;
    for (std::size_t c = 0; c < settings.classes; ++c) {
      const double other = room.totals[c] - room.left[c];
      left += room.left[c], left_square += room.left[c] * room.left[c], right_square += other * other;
    }
    const double right = weight - left;
    if (left >= rules.min_child_weight && right >= rules.min_child_weight && left > 0 && right > 0)
      split.gain = left_square / left + right_square / right - square / weight;
  } else {
    for (std::size_t k = 0; k < open.count; ++k) {
      if (goes_left(bin_of(feature, rows[k]))) split.left += room.words[rows[k]];
    }
    const Sum rest = open.total - split.left;
    const double left = hessian_of(split.left) * sums.unit_hessian,
                 right = hessian_of(rest) * sums.unit_hessian;
    if (left >= rules.min_child_weight && right >= rules.min_child_weight && left > 0 && right > 0)
      split.gain = node_gain(rules, gradient_of(split.left) * sums.unit_gradient, left, sums.bounds) +
                   node_gain(rules, gradient_of(rest) * sums.unit_gradient, right, sums.bounds) -
                   node_gain(rules, gradient_of(open.total) * sums.unit_gradient, weight, sums.bounds);
  }
  if (split.gain <= std::max(kLeastForestGain, rules.gamma)) split.gain = 0;
  return split;
}

// The weights of the node's rows by bin and class, in the order of the bins; missing ones are left out and
// counted in room.left.
void ForestGrower::Growth::collect(const ForestNode& open, std::uint32_t number, bool& any_missing) {
  const Feature& feature = bins.features()[number];
  const std::uint32_t* const rows = room.rows.data() + open.begin;
  const std::size_t classes = settings.classes;
  std::vector<Room::Entry>& entries = room.entries;
  entries.clear();
  std::ranges::fill(room.left, 0.0);
  any_missing = false;
  const auto label = [&](std::uint32_t i) { return static_cast<std::uint32_t>(forest.y_[i]); };
  const auto take_missing = [&](std::uint32_t i, std::uint32_t bin) {
    if (!feature.missing || bin != feature.values) return false;
    any_missing = true, room.left[label(i)] += static_cast<double>(room.weights[i]);
    return true;
  };
  if (open.count * 8 < feature.values * classes) {
    for (std::size_t k = 0; k < open.count; ++k) {
      const std::uint32_t i = rows[k], bin = bin_of(feature, i);
      if (!take_missing(i, bin)) entries.push_back({bin, label(i), static_cast<double>(room.weights[i])});
    }
    std::ranges::sort(entries, {}, [](const Room::Entry& e) { return std::pair(e.bin, e.label); });
    return;
  }
  room.counts.assign(feature.values * classes, 0.0);
  for (std::size_t k = 0; k < open.count; ++k) {
    const std::uint32_t i = rows[k], bin = bin_of(feature, i);
    if (!take_missing(i, bin)) room.counts[bin * classes + label(i)] += static_cast<double>(room.weights[i]);
  }
  for (std::uint32_t bin = 0; bin < feature.values; ++bin) {
    for (std::uint32_t c = 0; c < classes; ++c) {
      if (const double w = room.counts[bin * classes + c]; w > 0) entries.push_back({bin, c, w});
    }
  }
}

// Sums of squares change by what each class gains or loses.
void ForestGrower::Growth::scan_classes(std::uint32_t number, bool missing_left, bool any_missing,
                                        Split& best) {
  std::vector<double>& left = room.left;  // of the missing rows to begin with
  std::vector<double> own = left;
  if (!missing_left) std::ranges::fill(own, 0.0);
  double left_weight = 0, left_square = 0, right_square = 0;
  for (std::size_t c = 0; c < own.size(); ++c) {
    const double other = room.totals[c] - own[c];
    left_weight += own[c], left_square += own[c] * own[c], right_square += other * other;
  }
  const std::vector<Room::Entry>& entries = room.entries;
  for (std::size_t k = 0; k < entries.size(); ++k) {
    const Room::Entry& entry = entries[k];
    double& mine = own[entry.label];
    const double other = room.totals[entry.label] - mine;
    left_square += entry.weight * (2 * mine + entry.weight);
    right_square += entry.weight * (entry.weight - 2 * other);
    mine += entry.weight, left_weight += entry.weight;
    const bool last_entry = k + 1 == entries.size();
    if (!last_entry && entries[k + 1].bin == entry.bin) continue;
    if (last_entry && (missing_left || !any_missing)) break;  // nothing would be on the right
    const double right_weight = weight - left_weight;
    if (left_weight < rules.min_child_weight || right_weight < rules.min_child_weight || right_weight <= 0)
      continue;
    const double gain = left_square / left_weight + right_square / right_weight - square / weight;
    if (gain <= best.gain) continue;
    best.gain = gain, best.feature = number, best.missing_left = missing_left;
    // All values against the missing ones: whatever comes later is a value, too.
    const Feature& feature = bins.features()[number];
    best.last = last_entry ? feature.values - 1 : middle_of_gap(feature, entry.bin, entries[k + 1].bin);
  }
}

Split ForestGrower::Growth::class_split(const ForestNode& open, std::uint32_t number, bool& varies) {
  bool any_missing = false;
  collect(open, number, any_missing);
  Split best;
  if (room.entries.empty()) return best;
  varies = any_missing || room.entries.front().bin != room.entries.back().bin;
  if (!varies) return best;
  best.gain = std::max(kLeastForestGain, rules.gamma);
  const double least = best.gain;
  scan_classes(number, false, any_missing, best);
  if (any_missing) scan_classes(number, true, true, best);
  if (best.gain <= least) best.gain = 0;
  return best;
}

const Node& leaf_of(const Tree& tree, const float* row) {
  const Node* node = &tree.nodes.front();
  while (node->left >= 0) {
    const float x = row[node->feature];
    const bool left = x != x ? node->missing_left : x < node->condition;
    node = &tree.nodes[static_cast<std::size_t>(left ? node->left : node->right)];
  }
  return *node;
}

}  // namespace millrace::tasks::trees
