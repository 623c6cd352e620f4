#include "tasks/tuning/tpe.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>

#include "tasks/numeric/isa.h"

namespace millrace::tasks {

namespace {

constexpr std::size_t kStartupTrials = 10, kCandidates = 24, kFlatWeights = 25, kGammaMax = 25,
                      kJointTrials = 50;
constexpr double kWholeTail = 9;  // deviations beyond which a normal distribution has nothing left in double

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
  // Of numbers; log_mass of the kernel inside [0, 1], log_scale that and the width's logarithm. Of categories
  // the centre is the observed one, and none of the prior.
  std::vector<double> centre, width, inverse_width, log_mass, log_scale;
  double own = 1, other = 0;  // of categories: the shares of the observed one and of any other
};

// Of a normal distribution between two places.
double mass(double centre, double inverse_width, double low, double high) {
  const double above = (high - centre) * inverse_width, below = (low - centre) * inverse_width;
  if (above > kWholeTail && below < -kWholeTail) return 1;
  if (above < -kWholeTail || below > kWholeTail) return 0;
  return (above > kWholeTail ? 1 : normal_cdf(above)) - (below < -kWholeTail ? 0 : normal_cdf(below));
}

// The sum of exp(terms[k] - largest), of terms of at most `largest`: exp by powers of two and a polynomial
// over [-ln 2 / 2, ln 2 / 2], within some units of the last place. Sums stand side by side and are added in
// one order: the same bits on every processor.
constexpr std::size_t kSumsAtOnce = 8;
MR_BODY void sum_of_exponentials_body(const double* terms, std::size_t n, double largest, double& sum) {
  constexpr double kRound = 0x1.8p52;  // what is added to it has no places behind the point
  constexpr double kLn2High = 0x1.62e42fefa3800p-1, kLn2Low = 0x1.ef35793c76730p-45;
  const auto exponential = [](double x) {
    x = x > -700 ? x : -700.0;
    const double shifted = x * std::numbers::log2e + kRound, whole = shifted - kRound;
    const double r = (x - whole * kLn2High) - whole * kLn2Low;
    double p = 1.0 / 479001600;
    for (const double c : {1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
                           1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0})
      p = p * r + c;
    const std::uint64_t power = (std::bit_cast<std::uint64_t>(shifted) + 1023) << 52;
    return p * std::bit_cast<double>(power);
  };
  double sums[kSumsAtOnce] = {};
  std::size_t k = 0;
  for (; k + kSumsAtOnce <= n; k += kSumsAtOnce)
    for (std::size_t j = 0; j < kSumsAtOnce; ++j) sums[j] += exponential(terms[k + j] - largest);
  for (std::size_t j = 0; k < n; ++k, ++j) sums[j] += exponential(terms[k] - largest);
  sum = 0;
  for (const double one : sums) sum += one;
}
MR_KERNEL(sum_of_exponentials, (const double* terms, std::size_t n, double largest, double& sum),
          (terms, n, largest, sum))

// Adds the logarithms of normal densities at a place, but for their scales.
MR_BODY void add_normals_body(const double* centre, const double* inverse_width, std::size_t n, double place,
                              double* terms) {
  for (std::size_t k = 0; k < n; ++k) {
    const double z = (place - centre[k]) * inverse_width[k];
    terms[k] -= 0.5 * z * z;
  }
}
MR_KERNEL(add_normals,
          (const double* centre, const double* inverse_width, std::size_t n, double place, double* terms),
          (centre, inverse_width, n, place, terms))

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
  double last_width = 1, log_width = 0;  // neighbours often have the same
  for (std::size_t k = 0; k < axis.centre.size(); ++k) {
    const double width = axis.width[k];
    if (width != last_width) last_width = width, log_width = std::log(width);
    axis.inverse_width.push_back(1 / width);
    const double inside = mass(axis.centre[k], axis.inverse_width[k], 0, 1);
    axis.log_mass.push_back(inside < 1 ? std::log(inside) : 0);
    axis.log_scale.push_back(axis.log_mass.back() + log_width);
  }
  return axis;
}

Axis category_axis(const ParameterRange& range, const std::vector<double>& coordinates) {
  Axis axis;
  axis.range = &range;
  const double choices = static_cast<double>(range.values.size());
  const double prior = 1.0 / static_cast<double>(coordinates.size() + 1);
  axis.own = (1 + prior) / (1 + choices * prior), axis.other = prior / (1 + choices * prior);
  axis.centre = coordinates;
  axis.centre.push_back(-1);
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
    for (const double weight : weights_) base_.push_back(std::log(weight));
    for (const std::size_t dimension : dimensions) {
      std::vector<double> coordinates;
      for (const Observation* point : points) coordinates.push_back(point->point[dimension]);
      const ParameterRange& range = space[dimension];
      axes_.push_back(range.categorical() ? category_axis(range, coordinates)
                                          : number_axis(range, coordinates, dimensions.size()));
      if (axes_.back().range->kind != ParameterRange::Kind::Integer && !range.categorical())
        for (std::size_t k = 0; k < base_.size(); ++k) base_[k] -= axes_.back().log_scale[k];
    }
  }

  Point draw(Random& random) const {
    const std::size_t kernel = pick(weights_, random);
    Point point;
    for (const Axis& axis : axes_) {
      if (axis.range->categorical()) {
        point.push_back(static_cast<double>(pick(category_shares(axis, kernel), random)));
        continue;
      }
      double place =
          -1;  // a centre inside [0, 1] and a width of at most 1: at least one draw in three is inside
      while (place < 0 || place > 1) place = axis.centre[kernel] + axis.width[kernel] * random.normal();
      point.push_back(snap(*axis.range, place));
    }
    return point;
  }

  // `terms` is room to work in.
  double log_density(const Point& point, std::vector<double>& terms) const {
    terms = base_;
    for (std::size_t a = 0; a < axes_.size(); ++a) add_log_density(axes_[a], point[a], terms);
    const double largest = largest_of(terms);
    double sum = 0;
    sum_of_exponentials(terms.data(), terms.size(), largest, sum);
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

  static std::vector<double> category_shares(const Axis& axis, std::size_t kernel) {
    const std::size_t choices = axis.range->values.size();
    if (axis.centre[kernel] < 0) return std::vector<double>(choices, 1 / static_cast<double>(choices));
    std::vector<double> shares(choices, axis.other);
    shares[static_cast<std::size_t>(axis.centre[kernel])] = axis.own;
    return shares;
  }

  // Four at a time: one after the other each would wait for the one before.
  static double largest_of(const std::vector<double>& terms) {
    double largest[4] = {terms[0], terms[0], terms[0], terms[0]};
    std::size_t k = 0;
    for (; k + 4 <= terms.size(); k += 4)
      for (std::size_t j = 0; j < 4; ++j) largest[j] = terms[k + j] > largest[j] ? terms[k + j] : largest[j];
    for (; k < terms.size(); ++k) largest[0] = std::max(largest[0], terms[k]);
    return std::max(std::max(largest[0], largest[1]), std::max(largest[2], largest[3]));
  }

  static void add_log_density(const Axis& axis, double coordinate, std::vector<double>& terms) {
    const std::size_t n = terms.size();
    if (axis.range->categorical()) {
      const double own = std::log(axis.own), other = std::log(axis.other);
      for (std::size_t k = 0; k + 1 < n; ++k) terms[k] += axis.centre[k] == coordinate ? own : other;
      terms[n - 1] -= std::log(static_cast<double>(axis.range->values.size()));
      return;
    }
    if (axis.range->kind == ParameterRange::Kind::Integer) {
      constexpr double kLeastMass = 1e-300;
      const double least = std::log(kLeastMass);
      const auto [low, high] = cell_of(*axis.range, coordinate);
      for (std::size_t k = 0; k < n; ++k) {
        const double inside = mass(axis.centre[k], axis.inverse_width[k], low, high);
        terms[k] += (inside > kLeastMass ? std::log(inside) : least) - axis.log_mass[k];
      }
      return;
    }
    add_normals(axis.centre.data(), axis.inverse_width.data(), n, coordinate, terms.data());
  }

  std::vector<double> weights_;
  std::vector<double> base_;  // by kernel: logarithms of the weight and of the scales of real numbers
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
  std::vector<double> terms;
  double best_ratio = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < kCandidates; ++i) {
    Point candidate = good.draw(random);
    const double ratio = good.log_density(candidate, terms) - rest.log_density(candidate, terms);
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
