#include "tasks/tuning/importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace millrace::tasks {

namespace {

constexpr std::size_t kForestTrees = 48, kForestLeafMin = 3, kForestRowsMax = 2000;

// A leaf's box: of a number the interval, of categories which are in it; and its value.
struct LeafBox {
  std::vector<std::pair<double, double>> intervals;
  std::vector<std::vector<bool>> categories;
  double value = 0;

  // The share of the dimension that the box covers.
  double share(const SearchSpace& space, std::size_t d) const {
    if (!space[d].categorical()) return intervals[d].second - intervals[d].first;
    return static_cast<double>(std::ranges::count(categories[d], true)) /
           static_cast<double>(categories[d].size());
  }
  double volume(const SearchSpace& space) const {
    double product = 1;
    for (std::size_t d = 0; d < space.size(); ++d) product *= share(space, d);
    return product;
  }
};

// A way to part rows: numbers below `threshold`, or these categories.
struct ForestSplit {
  std::size_t dimension = 0;
  double gain = 0, threshold = 0;
  std::vector<bool> left;
};

class ForestTree {
 public:
  ForestTree(const SearchSpace& space, const std::vector<Point>& points, const std::vector<double>& losses,
             Random random)
      : space_(space), points_(points), losses_(losses), random_(random) {
    std::vector<std::size_t> rows(points.size());
    for (std::size_t& row : rows) row = random_.below(points.size());
    LeafBox all;
    all.intervals.assign(space.size(), {0, 1});
    for (const ParameterRange& range : space) all.categories.emplace_back(range.values.size(), true);
    grow(std::move(rows), std::move(all));
  }

  // Adds each dimension's share of the tree's variance; false when the tree has none.
  bool add_shares(std::vector<double>& shares) const {
    double mean = 0, variance = 0;
    for (const LeafBox& leaf : leaves_) mean += leaf.volume(space_) * leaf.value;
    for (const LeafBox& leaf : leaves_) variance += leaf.volume(space_) * std::pow(leaf.value - mean, 2);
    if (!(variance > 0)) return false;
    for (std::size_t d = 0; d < space_.size(); ++d) shares[d] += variance_of(d, mean) / variance;
    return true;
  }

 private:
  double mean_of(const std::vector<std::size_t>& rows) const {
    double sum = 0;
    for (const std::size_t row : rows) sum += losses_[row];
    return sum / static_cast<double>(rows.size());
  }

  void grow(std::vector<std::size_t> rows, LeafBox box) {
    ForestSplit best;
    if (rows.size() >= 2 * kForestLeafMin) {
      std::vector<std::size_t> dimensions(space_.size());
      std::iota(dimensions.begin(), dimensions.end(), std::size_t{0});
      shuffle(dimensions, random_);
      dimensions.resize((2 * dimensions.size() + 2) / 3);
      for (const std::size_t d : dimensions) try_dimension(d, rows, best);
    }
    if (!(best.gain > 0)) {
      box.value = mean_of(rows);
      leaves_.push_back(std::move(box));
      return;
    }
    const std::size_t d = best.dimension;
    const auto goes_left = [&](std::size_t row) {
      const double x = points_[row][d];
      return space_[d].categorical() ? best.left[static_cast<std::size_t>(x)] : x < best.threshold;
    };
    std::vector<std::size_t> left, right;
    for (const std::size_t row : rows) (goes_left(row) ? left : right).push_back(row);
    LeafBox other = box;
    if (space_[d].categorical()) {
      for (std::size_t c = 0; c < best.left.size(); ++c)
        (best.left[c] ? other : box).categories[d][c] = false;
    } else {
      box.intervals[d].second = other.intervals[d].first = best.threshold;
    }
    grow(std::move(left), std::move(box));
    grow(std::move(right), std::move(other));
  }

  // Categories are put in the order of their mean loss, then parted like numbers.
  void try_dimension(std::size_t d, const std::vector<std::size_t>& rows, ForestSplit& best) const {
    const bool categorical = space_[d].categorical();
    std::vector<double> key(space_[d].values.size());
    if (categorical) {
      std::vector<double> counts(key.size());
      for (const std::size_t row : rows) {
        const auto c = static_cast<std::size_t>(points_[row][d]);
        key[c] += losses_[row];
        counts[c] += 1;
      }
      const double mean = mean_of(rows);
      for (std::size_t c = 0; c < key.size(); ++c) key[c] = counts[c] > 0 ? key[c] / counts[c] : mean;
    }
    const auto place = [&](std::size_t row) {
      return categorical ? key[static_cast<std::size_t>(points_[row][d])] : points_[row][d];
    };
    std::vector<std::size_t> sorted = rows;
    std::ranges::stable_sort(sorted, {}, place);
    double total = 0, left = 0;
    for (const std::size_t row : sorted) total += losses_[row];
    const auto n = static_cast<double>(sorted.size());
    for (std::size_t k = 1; k + kForestLeafMin <= sorted.size(); ++k) {
      left += losses_[sorted[k - 1]];
      const double a = place(sorted[k - 1]), b = place(sorted[k]);
      if (k < kForestLeafMin || !(a < b)) continue;
      const auto m = static_cast<double>(k);
      const double gain = left * left / m + (total - left) * (total - left) / (n - m) - total * total / n;
      if (gain <= best.gain + 1e-12 * std::abs(total)) continue;
      best = {d, gain, (a + b) / 2, {}};
      for (std::size_t c = 0; c < key.size(); ++c) best.left.push_back(key[c] <= a);
    }
  }

  // The variance of the tree's mean over all other dimensions, as this one goes over its values.
  double variance_of(std::size_t d, double mean) const {
    double variance = 0;
    if (space_[d].categorical()) {
      const auto choices = static_cast<double>(space_[d].values.size());
      for (std::size_t c = 0; c < space_[d].values.size(); ++c) {
        double here = 0;
        for (const LeafBox& leaf : leaves_)
          if (leaf.categories[d][c]) here += leaf.volume(space_) / leaf.share(space_, d) * leaf.value;
        variance += (here - mean) * (here - mean) / choices;
      }
      return variance;
    }
    std::set<double> ends;
    for (const LeafBox& leaf : leaves_) ends.insert({leaf.intervals[d].first, leaf.intervals[d].second});
    for (auto end = ends.begin(); std::next(end) != ends.end(); ++end) {
      const double low = *end, high = *std::next(end);
      double here = 0;
      for (const LeafBox& leaf : leaves_) {
        if (leaf.intervals[d].first <= low && leaf.intervals[d].second >= high)
          here += leaf.volume(space_) / leaf.share(space_, d) * leaf.value;
      }
      variance += (high - low) * (here - mean) * (here - mean);
    }
    return variance;
  }

  const SearchSpace& space_;
  const std::vector<Point>& points_;
  const std::vector<double>& losses_;
  Random random_;
  std::vector<LeafBox> leaves_;
};

// Points without gaps: what is absent has the mean of what is there (a category: the first one).
std::vector<Point> filled_points(const SearchSpace& space, std::span<const Observation> observations) {
  std::vector<Point> points;
  for (const Observation& one : observations) points.push_back(one.point);
  for (std::size_t d = 0; d < space.size(); ++d) {
    double sum = 0, count = 0;
    for (const Point& point : points)
      if (point[d] != kAbsent) sum += point[d], count += 1;
    const double mean = space[d].categorical() || count == 0 ? 0 : sum / count;
    for (Point& point : points)
      if (point[d] == kAbsent) point[d] = mean;
  }
  return points;
}

std::vector<double> capped_losses(std::span<const Observation> observations) {
  std::vector<double> losses;
  for (const Observation& one : observations) losses.push_back(one.loss);
  std::vector<double> sorted = losses;
  std::ranges::sort(sorted);
  const double cap = sorted[sorted.size() - 1 - sorted.size() / 10];
  for (double& loss : losses) loss = std::min(loss, cap);
  return losses;
}

}  // namespace

std::vector<double> parameter_importance(const SearchSpace& space, std::span<const Observation> observations,
                                         std::uint64_t seed) {
  if (observations.size() < kImportanceTrialsMin) return {};
  if (observations.size() > kForestRowsMax) observations = observations.last(kForestRowsMax);
  const std::vector<Point> points = filled_points(space, observations);
  const std::vector<double> losses = capped_losses(observations);
  std::vector<double> shares(space.size());
  double trees = 0;
  for (std::size_t t = 0; t < kForestTrees; ++t) {
    const ForestTree tree(space, points, losses, Random(seed).derive("importance", t));
    if (tree.add_shares(shares)) trees += 1;
  }
  if (trees == 0) return {};
  for (double& share : shares) share /= trees;
  return shares;
}

}  // namespace millrace::tasks
