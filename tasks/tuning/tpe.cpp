#include "tasks/tuning/tpe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace millrace::tasks {

namespace {

constexpr std::size_t kStartupTrials = 10, kCandidates = 24, kFlatWeights = 25, kGammaMax = 25,
                      kJointTrials = 50;
constexpr double kNegligible = 40;  // of logarithms: what is so much less adds nothing to a sum

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

// Of n observations in trial order: 1 for the last 25, a ramp from 1/n before them.
std::vector<double> observation_weights(std::size_t n) {
  std::vector<double> weights(n, 1.0);
  if (n <= kFlatWeights) return weights;
  const std::size_t ramp = n - kFlatWeights;
  for (std::size_t i = 0; i < ramp; ++i) {
    const double t = ramp == 1 ? 0 : static_cast<double>(i) / static_cast<double>(ramp - 1);
    weights[i] = 1.0 / static_cast<double>(n) * (1 - t) + t;
  }
  return weights;
}

// The kernels of one hyperparameter, one for each observation and the prior last.
struct Axis {
  const ParameterRange* range = nullptr;
  // Of numbers; log_mass of the kernel inside [0, 1], log_scale that and the width's logarithm.
  std::vector<double> centre, width, log_mass, log_scale;
  std::vector<std::vector<double>> probabilities;  // categories
};

double mass(double centre, double width, double low, double high) {
  return normal_cdf((high - centre) / width) - normal_cdf((low - centre) / width);
}

// Distance to the farther neighbour, of centres in [0, 1]; the outermost look inward only, once there are
// enough.
std::vector<double> neighbour_widths(const std::vector<double>& centres) {
  const std::size_t n = centres.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return centres[i]; });
  std::vector<double> widths(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double here = centres[order[k]];
    const double left = here - (k == 0 ? 0 : centres[order[k - 1]]),
                 right = (k + 1 == n ? 1 : centres[order[k + 1]]) - here;
    widths[order[k]] = std::max(left, right);
    if (n >= 2 && k == 0) widths[order[k]] = right;
    if (n >= 2 && k + 1 == n) widths[order[k]] = left;
  }
  return widths;
}

Axis number_axis(const ParameterRange& range, const std::vector<double>& coordinates,
                 std::size_t dimensions) {
  Axis axis;
  axis.range = &range;
  axis.centre = coordinates;
  axis.centre.push_back(0.5);  // the prior
  const auto kernels = static_cast<double>(axis.centre.size());
  if (dimensions == 1) {
    axis.width = neighbour_widths(axis.centre);
  } else {
    const double n = std::max<double>(1, static_cast<double>(coordinates.size()));
    axis.width.assign(axis.centre.size(), 0.2 * std::pow(n, -1.0 / (static_cast<double>(dimensions) + 4)));
  }
  const double least = 1 / std::min(100.0, 1 + kernels);  // the "magic clip"
  for (double& width : axis.width) width = std::clamp(width, least, 1.0);
  axis.width.back() = 1;
  for (std::size_t k = 0; k < axis.centre.size(); ++k) {
    axis.log_mass.push_back(std::log(mass(axis.centre[k], axis.width[k], 0, 1)));
    axis.log_scale.push_back(axis.log_mass.back() + std::log(axis.width[k]));
  }
  return axis;
}

Axis category_axis(const ParameterRange& range, const std::vector<double>& coordinates) {
  Axis axis;
  axis.range = &range;
  const std::size_t choices = range.values.size();
  const double prior = 1.0 / static_cast<double>(coordinates.size() + 1);
  for (std::size_t k = 0; k <= coordinates.size(); ++k) {
    std::vector<double> p(choices, prior);
    if (k < coordinates.size()) p[static_cast<std::size_t>(coordinates[k])] += 1;
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
    axis.probabilities.push_back(std::move(p));
  }
  return axis;
}

// A density over the hyperparameters `axes`.
class Mixture {
 public:
  Mixture(const SearchSpace& space, std::span<const std::size_t> dimensions,
          const std::vector<const Observation*>& points) {
    weights_ = observation_weights(points.size());
    weights_.push_back(1);  // the prior's
    const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    for (double& weight : weights_) weight /= sum;
    for (const double weight : weights_) log_weights_.push_back(std::log(weight));
    for (const std::size_t dimension : dimensions) {
      std::vector<double> coordinates;
      for (const Observation* point : points) coordinates.push_back(point->point[dimension]);
      const ParameterRange& range = space[dimension];
      axes_.push_back(range.categorical() ? category_axis(range, coordinates)
                                          : number_axis(range, coordinates, dimensions.size()));
    }
  }

  Point draw(Random& random) const {
    const std::size_t kernel = pick(weights_, random);
    Point point;
    for (const Axis& axis : axes_) {
      if (axis.range->categorical()) {
        point.push_back(static_cast<double>(pick(axis.probabilities[kernel], random)));
        continue;
      }
      double place =
          -1;  // a centre inside [0, 1] and a width of at most 1: at least one draw in three is inside
      while (place < 0 || place > 1) place = axis.centre[kernel] + axis.width[kernel] * random.normal();
      point.push_back(snap(*axis.range, place));
    }
    return point;
  }

  double log_density(const Point& point) const {
    std::vector<double> terms = log_weights_;
    for (std::size_t a = 0; a < axes_.size(); ++a) add_log_density(axes_[a], point[a], terms);
    const double largest = *std::ranges::max_element(terms);
    double sum = 0;
    for (const double term : terms)
      if (term > largest - kNegligible) sum += std::exp(term - largest);
    return largest + std::log(sum);
  }

 private:
  static std::size_t pick(const std::vector<double>& shares, Random& random) {
    double left = random.uniform();
    for (std::size_t i = 0; i + 1 < shares.size(); ++i) {
      if (left < shares[i]) return i;
      left -= shares[i];
    }
    return shares.size() - 1;
  }

  static void add_log_density(const Axis& axis, double coordinate, std::vector<double>& terms) {
    if (axis.range->categorical()) {
      for (std::size_t k = 0; k < terms.size(); ++k)
        terms[k] += std::log(axis.probabilities[k][static_cast<std::size_t>(coordinate)]);
      return;
    }
    if (axis.range->kind == ParameterRange::Kind::Integer) {
      const auto [low, high] = cell_of(*axis.range, coordinate);
      for (std::size_t k = 0; k < terms.size(); ++k) {
        terms[k] +=
            std::log(std::max(1e-300, mass(axis.centre[k], axis.width[k], low, high))) - axis.log_mass[k];
      }
      return;
    }
    for (std::size_t k = 0; k < terms.size(); ++k) {
      const double z = (coordinate - axis.centre[k]) / axis.width[k];
      terms[k] += -0.5 * z * z - axis.log_scale[k];
    }
  }

  std::vector<double> weights_, log_weights_;
  std::vector<Axis> axes_;
};

// The best gamma(n) observations and the others, both in trial order; of equals the earlier is better.
struct Split {
  std::vector<const Observation*> good, rest;
};

Split split(std::span<const Observation> observations) {
  const std::size_t n = observations.size();
  const std::size_t good =
      std::min(static_cast<std::size_t>(std::ceil(0.1 * static_cast<double>(n))), kGammaMax);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return observations[i].loss; });
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(good));
  std::sort(order.begin() + static_cast<std::ptrdiff_t>(good), order.end());
  Split result;
  for (std::size_t k = 0; k < n; ++k)
    (k < good ? result.good : result.rest).push_back(&observations[order[k]]);
  return result;
}

Point best_candidate(const SearchSpace& space, std::span<const std::size_t> dimensions, const Split& sides,
                     Random& random) {
  const Mixture good(space, dimensions, sides.good), rest(space, dimensions, sides.rest);
  Point best;
  double best_ratio = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < kCandidates; ++i) {
    Point candidate = good.draw(random);
    const double ratio = good.log_density(candidate) - rest.log_density(candidate);
    if (best.empty() || ratio > best_ratio) best = std::move(candidate), best_ratio = ratio;
  }
  return best;
}

// Hyperparameters that are there under the same condition are modelled together; without conditions that is
// all of them. Each group comes behind what it depends on.
std::vector<std::vector<std::size_t>> groups_of(const SearchSpace& space) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < space.size(); ++i) {
    const auto same = std::ranges::find_if(groups, [&](const std::vector<std::size_t>& group) {
      return space[group[0]].parent == space[i].parent && space[group[0]].when == space[i].when;
    });
    if (same == groups.end())
      groups.push_back({i});
    else
      same->push_back(i);
  }
  return groups;
}

// Of both sides those that have the hyperparameter.
Split with_dimension(const Split& sides, std::size_t dimension) {
  const auto keep = [&](const std::vector<const Observation*>& from) {
    std::vector<const Observation*> kept;
    for (const Observation* one : from)
      if (one->point[dimension] != kAbsent) kept.push_back(one);
    return kept;
  };
  return {keep(sides.good), keep(sides.rest)};
}

}  // namespace

Point suggest_tpe(const SearchSpace& space, std::span<const Observation> observations, Random& random,
                  TpeMode mode) {
  const std::size_t n = observations.size();
  if (n < kStartupTrials) return random_point(space, random);
  const Split sides = split(observations);
  const bool joint = mode == TpeMode::Mixed ? n < kJointTrials || n % 2 == 0 : mode == TpeMode::Multivariate;
  Point point(space.size(), kAbsent);
  for (const std::vector<std::size_t>& group : groups_of(space)) {
    if (!present(space, point, group[0])) continue;
    const bool conditional = space[group[0]].parent.has_value();
    const Split known = conditional ? with_dimension(sides, group[0]) : sides;
    const std::size_t together = joint ? group.size() : 1;
    for (std::size_t from = 0; from < group.size(); from += together) {
      const std::span dimensions = std::span(group).subspan(from, together);
      const Point values = best_candidate(space, dimensions, known, random);
      for (std::size_t k = 0; k < together; ++k) point[dimensions[k]] = values[k];
    }
  }
  return point;
}

}  // namespace millrace::tasks
