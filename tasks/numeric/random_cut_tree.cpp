#include "tasks/numeric/random_cut_tree.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

namespace {

// A node whose points are order[begin, end), to be cut.
struct PendingCut {
  std::size_t begin, end;
  std::uint32_t parent;  // whose right child it is; its own number when it is none's
};

class CutGrower {
 public:
  CutGrower(const Matrix& points, Random random) : points_(points), random_(std::move(random)) {
    for (std::uint32_t i = 0; i < points.rows; ++i) order_.push_back(i);
  }

  RandomCuts grow() {
    std::vector<PendingCut> pending{{0, order_.size(), 0}};
    while (!pending.empty()) {
      const PendingCut node = pending.back();
      pending.pop_back();
      const auto number = static_cast<std::uint32_t>(cuts_.feature.size());
      if (node.parent != number) cuts_.right[node.parent] = number;
      const std::size_t middle = cut(node);
      if (middle == node.begin) continue;
      pending.push_back({middle, node.end, number});
      pending.push_back({node.begin, middle, number + 1});  // taken next: the left child
    }
    return std::move(cuts_);
  }

 private:
  // Adds the node; where its points are cut in two, or node.begin when they are all the same.
  std::size_t cut(const PendingCut& node) {
    const std::size_t d = points_.cols;
    low_.assign(d, std::numeric_limits<float>::infinity()), high_.assign(d, -low_[0]);
    for (std::size_t i = node.begin; i < node.end; ++i) {
      const float* point = points_.values.data() + order_[i] * d;
      for (std::size_t j = 0; j < d; ++j)
        low_[j] = std::min(low_[j], point[j]), high_[j] = std::max(high_[j], point[j]);
    }
    double width = 0;
    for (std::size_t j = 0; j < d; ++j) width += double{high_[j]} - double{low_[j]};
    cuts_.mass.push_back(static_cast<std::uint32_t>(node.end - node.begin));
    if (width <= 0) {
      cuts_.feature.push_back(RandomCuts::kLeaf), cuts_.value.push_back(0);
      cuts_.right.push_back(order_[node.begin]);
      return node.begin;
    }
    const auto [feature, value] = draw(width);
    const auto middle =
        std::stable_partition(order_.begin() + static_cast<std::ptrdiff_t>(node.begin),
                              order_.begin() + static_cast<std::ptrdiff_t>(node.end),
                              [&, f = feature, v = value](std::uint32_t i) { return points_.at(i, f) <= v; });
    cuts_.feature.push_back(static_cast<std::uint32_t>(feature)), cuts_.value.push_back(value);
    cuts_.right.push_back(0);
    return static_cast<std::size_t>(middle - order_.begin());
  }

  // A feature and a place at or above its lowest and below its highest value: both sides get points.
  std::pair<std::size_t, float> draw(double width) {
    double at = random_.uniform() * width;
    std::size_t feature = 0;
    for (std::size_t j = 0; j < low_.size(); ++j) {
      const double wide = double{high_[j]} - double{low_[j]};
      if (wide <= 0) continue;
      feature = j;
      if (at < wide) break;
      at -= wide;
    }
    const auto value = static_cast<float>(double{low_[feature]} + std::max(0.0, at));
    return {feature, std::clamp(value, low_[feature], std::nextafter(high_[feature], low_[feature]))};
  }

  const Matrix& points_;
  Random random_;
  std::vector<std::uint32_t> order_;
  std::vector<float> low_, high_;
  RandomCuts cuts_;
};

}  // namespace

RandomCuts grow_cuts(const Matrix& points, Random random) {
  return CutGrower(points, std::move(random)).grow();
}

bool is_tree(const RandomCuts& cuts, std::size_t points, std::size_t d) {
  const std::size_t nodes = cuts.feature.size();
  if (nodes == 0 || nodes > 2 * points || cuts.value.size() != nodes || cuts.right.size() != nodes ||
      cuts.mass.size() != nodes || cuts.mass[0] != points)
    return false;
  // Walked as grow_cuts numbers them: the left child follows, then the right one after all below the left.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pending{{0, cuts.mass[0]}};  // node, its mass
  std::size_t next = 0;
  while (!pending.empty()) {
    const auto [node, mass] = pending.back();
    pending.pop_back();
    if (node != next || node >= nodes || cuts.mass[node] != mass || mass == 0) return false;
    ++next;
    if (cuts.feature[node] == RandomCuts::kLeaf) {
      if (cuts.right[node] >= points) return false;
      continue;
    }
    const std::uint32_t right = cuts.right[node];
    if (cuts.feature[node] >= d || !std::isfinite(cuts.value[node]) || right <= node || right >= nodes ||
        node + 1 >= nodes || cuts.mass[node + 1] >= mass)
      return false;
    pending.push_back({right, mass - cuts.mass[node + 1]});
    pending.push_back({node + 1, cuts.mass[node + 1]});
  }
  return next == nodes;
}

RandomCutTree::RandomCutTree(const Matrix& points, RandomCuts cuts)
    : d_(points.cols),
      cuts_(std::move(cuts)),
      boxes_(cuts_.feature.size() * 2 * d_),
      widths_(cuts_.feature.size()) {
  for (std::size_t node = cuts_.feature.size(); node-- > 0;) {  // children before their parents
    float* low = boxes_.data() + node * 2 * d_;
    float* high = low + d_;
    if (cuts_.feature[node] == RandomCuts::kLeaf) {
      const float* point = points.values.data() + cuts_.right[node] * d_;
      std::copy_n(point, d_, low), std::copy_n(point, d_, high);
      continue;
    }
    const float* left = boxes_.data() + (node + 1) * 2 * d_;
    const float* right = boxes_.data() + cuts_.right[node] * 2 * d_;
    for (std::size_t j = 0; j < d_; ++j) {
      low[j] = std::min(left[j], right[j]);
      high[j] = std::max(left[d_ + j], right[d_ + j]);
      widths_[node] += double{high[j]} - double{low[j]};
    }
  }
}

namespace {

// How far the point lies outside of the box, summed over the features, eight at a time.
double distance_outside(const float* point, const float* low, const float* high, std::size_t d) {
  constexpr std::size_t kLanes = 8;
  float lanes[kLanes] = {};
  std::size_t j = 0;
  for (; j + kLanes <= d; j += kLanes) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const float below = low[j + l] - point[j + l], above = point[j + l] - high[j + l];
      lanes[l] += (below > 0 ? below : 0) + (above > 0 ? above : 0);
    }
  }
  double sum = 0;
  for (; j < d; ++j) sum += std::max(0.0f, low[j] - point[j]) + std::max(0.0f, point[j] - high[j]);
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double RandomCutTree::score(const float* point) const {
  const double points = cuts_.mass[0];
  double left = 1, sum = 0;  // the chance that nothing set the point apart so far
  std::size_t node = 0;
  for (double depth = 0;; ++depth) {
    const float* low = boxes_.data() + node * 2 * d_;
    const double outside = distance_outside(point, low, low + d_, d_);
    const double apart = outside > 0 ? outside / (outside + widths_[node]) : 0;
    sum += left * apart / (depth + 1);
    left *= 1 - apart;
    if (cuts_.feature[node] == RandomCuts::kLeaf) {
      const double mass = cuts_.mass[node];
      sum += left * (1 - mass / (2 * points)) / (depth + std::log2(mass + 1));
      break;
    }
    if (left < 1e-9) break;
    node = point[cuts_.feature[node]] <= cuts_.value[node] ? node + 1 : cuts_.right[node];
  }
  return sum * std::log2(points + 1);
}

}  // namespace millrace::tasks
