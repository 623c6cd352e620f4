#include "tasks/tuning/gaussian_process.h"

#include <Eigen/Cholesky>
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace millrace::tasks {

namespace {

using Square = Eigen::MatrixXd;
using Values = Eigen::VectorXd;

constexpr std::size_t kRandomFirst = 10, kFitPoints = 128, kModelPoints = 512;
constexpr std::size_t kSpread = 512, kAround = 24, kRefined = 4, kRefinements = 24;
constexpr int kFitSteps = 50;
constexpr double kJitter = 1e-8;
const double kRoot5 = std::sqrt(5.0);

// The squared distance of two coordinates of one hyperparameter.
double squared_gap(const ParameterRange& range, double a, double b) {
  if (a == b) return 0;
  if (range.categorical() || a == kAbsent || b == kAbsent) return 1;
  return (a - b) * (a - b);
}

// The indexes of at most `most` observations: the best half of them, and the latest of the others, in order.
std::vector<std::size_t> best_and_latest(std::span<const Observation> observations, std::size_t most) {
  std::vector<std::size_t> order(observations.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (order.size() <= most) return order;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return observations[i].loss; });
  const auto half = static_cast<std::ptrdiff_t>(most / 2);
  std::sort(order.begin() + half, order.end(), std::greater<>());
  order.resize(most);
  std::ranges::sort(order);
  return order;
}

// Mean 0 and deviation 1, what is above the median compressed.
Values standard_losses(std::span<const Observation> observations) {
  std::vector<double> sorted;
  for (const Observation& one : observations) sorted.push_back(one.loss);
  std::ranges::sort(sorted);
  const double median = sorted[sorted.size() / 2];
  double scale = median - sorted[sorted.size() / 10];
  if (!(scale > 0)) scale = median - sorted.front();
  if (!(scale > 0)) scale = sorted.back() > median ? sorted.back() - median : 1;
  Values out(static_cast<Eigen::Index>(observations.size()));
  for (std::size_t i = 0; i < observations.size(); ++i) {
    const double z = (observations[i].loss - median) / scale;
    out[static_cast<Eigen::Index>(i)] = z > 0 ? std::log1p(z) : z;
  }
  const double mean = out.mean();
  out.array() -= mean;
  const double deviation = std::sqrt(out.squaredNorm() / static_cast<double>(out.size()));
  return deviation > 0 ? Values(out / deviation) : out;
}

// What the kernel is made of: logarithms of a length a hyperparameter, of the scale and of the noise.
struct Kernel {
  Values log_lengths;
  double log_scale = 0, log_noise = std::log(1e-2);

  double at(double r) const {
    return std::exp(log_scale) * (1 + kRoot5 * r + 5.0 / 3 * r * r) * std::exp(-kRoot5 * r);
  }
};

struct Prior {
  double mean, deviation;
  double slope(double x) const { return -(x - mean) / (deviation * deviation); }
};
Prior length_prior(std::size_t dimensions) {
  return {std::log(0.5) + 0.5 * std::log(static_cast<double>(dimensions)), 1.2};
}
constexpr Prior kScalePrior{0, 1}, kNoisePrior{-5.5, 2};

// Squared gaps of all pairs, a matrix for each hyperparameter.
std::vector<Square> gap_matrices(const SearchSpace& space, const std::vector<const Point*>& points) {
  const auto n = static_cast<Eigen::Index>(points.size());
  std::vector<Square> gaps(space.size(), Square::Zero(n, n));
  for (std::size_t d = 0; d < space.size(); ++d) {
    for (Eigen::Index i = 0; i < n; ++i) {
      for (Eigen::Index j = 0; j < i; ++j) {
        const double gap = squared_gap(space[d], (*points[static_cast<std::size_t>(i)])[d],
                                       (*points[static_cast<std::size_t>(j)])[d]);
        gaps[d](i, j) = gaps[d](j, i) = gap;
      }
    }
  }
  return gaps;
}

Square distances(const Kernel& kernel, const std::vector<Square>& gaps) {
  Square squares = Square::Zero(gaps[0].rows(), gaps[0].cols());
  for (std::size_t d = 0; d < gaps.size(); ++d)
    squares += gaps[d] * std::exp(-2 * kernel.log_lengths[static_cast<Eigen::Index>(d)]);
  return squares.cwiseSqrt();
}

Square covariance(const Kernel& kernel, const Square& r) {
  Square k = r.unaryExpr([&](double x) { return kernel.at(x); });
  k.diagonal().array() += std::exp(kernel.log_noise) + kJitter;
  return k;
}

// The slope of the log posterior in the kernel's logarithms: lengths, scale, noise.
Values posterior_slope(const Kernel& kernel, const std::vector<Square>& gaps, const Values& y) {
  const Square r = distances(kernel, gaps);
  const Square k = covariance(kernel, r);
  const Eigen::LLT<Square> factor(k);
  const auto n = y.size();
  const auto d = kernel.log_lengths.size();
  if (factor.info() != Eigen::Success) return Values::Zero(d + 2);
  const Values alpha = factor.solve(y);
  const Square w = alpha * alpha.transpose() - factor.solve(Square::Identity(n, n));
  const double scale = std::exp(kernel.log_scale);
  // dK/dlog l_j = scale 5/3 (1 + sqrt5 r) exp(-sqrt5 r) gap_j / l_j^2
  const Square common = w.cwiseProduct(
      r.unaryExpr([&](double x) { return scale * 5 / 3 * (1 + kRoot5 * x) * std::exp(-kRoot5 * x); }));
  Values slope(d + 2);
  const Prior lengths = length_prior(gaps.size());
  for (Eigen::Index j = 0; j < d; ++j) {
    slope[j] = 0.5 * common.cwiseProduct(gaps[static_cast<std::size_t>(j)]).sum() *
                   std::exp(-2 * kernel.log_lengths[j]) +
               lengths.slope(kernel.log_lengths[j]);
  }
  const Square smooth = r.unaryExpr([&](double x) { return kernel.at(x); });
  slope[d] = 0.5 * w.cwiseProduct(smooth).sum() + kScalePrior.slope(kernel.log_scale);
  slope[d + 1] = 0.5 * w.trace() * std::exp(kernel.log_noise) + kNoisePrior.slope(kernel.log_noise);
  return slope;
}

// Resilient steps uphill (Riedmiller and Braun, 1993, without the steps back): only the signs of the slopes
// count, so that no step length has to be guessed.
Kernel fit_kernel(const SearchSpace& space, std::span<const Observation> observations, const Values& y) {
  const std::vector<std::size_t> chosen = best_and_latest(observations, kFitPoints);
  std::vector<const Point*> points;
  Values losses(static_cast<Eigen::Index>(chosen.size()));
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    points.push_back(&observations[chosen[k]].point);
    losses[static_cast<Eigen::Index>(k)] = y[static_cast<Eigen::Index>(chosen[k])];
  }
  const std::vector<Square> gaps = gap_matrices(space, points);
  const auto d = static_cast<Eigen::Index>(space.size());
  Kernel kernel;
  kernel.log_lengths = Values::Constant(d, std::log(0.3) + 0.5 * std::log(static_cast<double>(d)));
  Values steps = Values::Constant(d + 2, 0.2), before = Values::Zero(d + 2);
  for (int round = 0; round < kFitSteps; ++round) {
    Values slope = posterior_slope(kernel, gaps, losses);
    for (Eigen::Index j = 0; j < d + 2; ++j) {
      const double turn = slope[j] * before[j];
      if (turn > 0) steps[j] = std::min(steps[j] * 1.2, 0.5);
      if (turn < 0) steps[j] = std::max(steps[j] * 0.5, 1e-3), slope[j] = 0;
      const double move = slope[j] > 0 ? steps[j] : slope[j] < 0 ? -steps[j] : 0;
      if (j < d)
        kernel.log_lengths[j] = std::clamp(kernel.log_lengths[j] + move, -5.0, 5.0);
      else if (j == d)
        kernel.log_scale = std::clamp(kernel.log_scale + move, -5.0, 5.0);
      else
        kernel.log_noise = std::clamp(kernel.log_noise + move, -14.0, 1.0);
    }
    before = slope;
    if (steps.maxCoeff() < 0.01) break;
  }
  return kernel;
}

// log of (z Phi(z) + phi(z)), also where that is too small for a double.
double log_improvement(double z) {
  const double log_density = -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
  if (z < -10) return log_density - 2 * std::log(-z);
  const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  return std::log(std::max(1e-300, z * below + std::exp(log_density)));
}

class Surface {
 public:
  Surface(const SearchSpace& space, std::span<const Observation> observations) : space_(space) {
    const Values y = standard_losses(observations);
    kernel_ = fit_kernel(space, observations, y);
    for (const Observation& one : observations) points_.push_back(&one.point);
    factor_.compute(covariance(kernel_, distances(kernel_, gap_matrices(space, points_))));
    alpha_ = factor_.solve(y);
    // The best of the surface at what was tried, not of the losses: those have noise.
    best_ = (y - (std::exp(kernel_.log_noise) + kJitter) * alpha_).minCoeff();
  }

  // Logarithms of the expected improvement.
  Values improvement(const std::vector<Point>& candidates) const {
    const auto n = static_cast<Eigen::Index>(points_.size());
    const auto m = static_cast<Eigen::Index>(candidates.size());
    Square k(n, m);
    std::vector<double> weights;
    for (Eigen::Index d = 0; d < kernel_.log_lengths.size(); ++d)
      weights.push_back(std::exp(-2 * kernel_.log_lengths[d]));
    for (Eigen::Index j = 0; j < m; ++j) {
      const Point& candidate = candidates[static_cast<std::size_t>(j)];
      for (Eigen::Index i = 0; i < n; ++i) {
        double square = 0;
        for (std::size_t d = 0; d < space_.size(); ++d)
          square +=
              weights[d] * squared_gap(space_[d], candidate[d], (*points_[static_cast<std::size_t>(i)])[d]);
        k(i, j) = kernel_.at(std::sqrt(square));
      }
    }
    const Values mean = k.transpose() * alpha_;
    factor_.matrixL().solveInPlace(k);
    const double scale = std::exp(kernel_.log_scale);
    Values out(m);
    for (Eigen::Index j = 0; j < m; ++j) {
      const double deviation = std::sqrt(std::max(1e-12, scale - k.col(j).squaredNorm()));
      out[j] = std::log(deviation) + log_improvement((best_ - mean[j]) / deviation);
    }
    return out;
  }

 private:
  const SearchSpace& space_;
  Kernel kernel_;
  std::vector<const Point*> points_;
  Eigen::LLT<Square> factor_;
  Values alpha_;
  double best_ = 0;
};

// A point near another: some of its coordinates moved.
Point neighbour(const SearchSpace& space, const Point& from, double width, Random& random) {
  Point point(space.size(), kAbsent);
  const std::uint64_t certain = random.below(space.size());
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (!present(space, point, i)) continue;
    const ParameterRange& range = space[i];
    const bool moves = i == certain || random.uniform() < 0.4;
    if (range.categorical()) {
      const bool keeps = from[i] != kAbsent && !(moves && random.uniform() < 0.4);
      point[i] = keeps ? from[i] : static_cast<double>(random.below(range.values.size()));
    } else if (from[i] == kAbsent) {
      point[i] = snap(range, random.uniform());
    } else {
      const double place = moves ? from[i] + width * random.normal() : from[i];
      point[i] = snap(range, std::clamp(place, 0.0, 1.0));
    }
  }
  return point;
}

std::vector<std::size_t> largest_first(const Values& scores, std::size_t count) {
  std::vector<std::size_t> order(static_cast<std::size_t>(scores.size()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::size_t i) { return scores[static_cast<Eigen::Index>(i)]; });
  order.resize(std::min(count, order.size()));
  return order;
}

}  // namespace

Point suggest_gaussian_process(const SearchSpace& space, std::span<const Observation> observations,
                               Random& random) {
  if (observations.size() < kRandomFirst) return random_point(space, random);
  std::vector<Observation> known;
  for (const std::size_t i : best_and_latest(observations, kModelPoints)) known.push_back(observations[i]);
  const Surface surface(space, known);

  std::vector<Point> candidates;
  for (std::size_t i = 0; i < kSpread; ++i) candidates.push_back(random_point(space, random));
  Values losses(static_cast<Eigen::Index>(known.size()));
  for (std::size_t i = 0; i < known.size(); ++i) losses[static_cast<Eigen::Index>(i)] = -known[i].loss;
  for (const std::size_t i : largest_first(losses, kRefined)) {
    for (std::size_t k = 0; k < kAround; ++k)
      candidates.push_back(neighbour(space, known[i].point, k % 2 == 0 ? 0.1 : 0.02, random));
  }
  for (const double width : {0.1, 0.05, 0.02, 0.008, 0.003}) {
    const Values scores = surface.improvement(candidates);
    std::vector<Point> next;
    for (const std::size_t i : largest_first(scores, kRefined)) next.push_back(candidates[i]);
    for (std::size_t i = 0, tops = next.size(); i < tops; ++i) {
      for (std::size_t k = 0; k < kRefinements; ++k) next.push_back(neighbour(space, next[i], width, random));
    }
    candidates = std::move(next);
  }
  // What was tried is not tried again: at an edge of the space the surface may promise more where it has
  // been.
  const std::vector<std::size_t> order = largest_first(surface.improvement(candidates), candidates.size());
  for (const std::size_t i : order) {
    if (std::ranges::find(observations, candidates[i], &Observation::point) == observations.end())
      return candidates[i];
  }
  return candidates[order[0]];
}

}  // namespace millrace::tasks
