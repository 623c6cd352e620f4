#include "tasks/deployment/sequential.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace millrace::tasks {
namespace {

constexpr double kPrior = 0.5;  // both parameters of the mixing Beta distribution
constexpr int kHalvings = 60;

double log_beta(double a, double b) {
  return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

// x log(p), where nothing seen costs nothing.
double weighted_log(double x, double p) {
  return x == 0 ? 0 : x * std::log(p);
}

// Variance of one outcome. One outcome of 0 and one of 1 are added, scaled to what was seen, so that an arm
// of equal outcomes is not taken for certain.
double variance_of(const ArmOutcomes& arm, double scale) {
  const double n = static_cast<double>(arm.n) + 2;
  const double mean = (arm.sum + scale) / n, squares = (arm.squares + scale * scale) / n;
  return std::max(squares - mean * mean, 0.0);
}

// The size of an outcome, as far as it is known: 1 of successes and failures.
double outcome_scale(const ArmOutcomes& first, const ArmOutcomes& second) {
  const double n = static_cast<double>(first.n + second.n);
  const double sum = first.sum + second.sum, squares = first.squares + second.squares;
  if (sum == squares) return 1;  // all of them are 0 or 1
  return std::sqrt(squares / n);
}

}  // namespace

ValidInterval proportion_interval(std::uint64_t successes, std::uint64_t n, double alpha) {
  MR_CHECK(successes <= n, "there can't be more successes than outcomes");
  if (n == 0) return {};
  const double s = static_cast<double>(successes), f = static_cast<double>(n - successes);
  const double evidence = log_beta(kPrior + s, kPrior + f) - log_beta(kPrior, kPrior);
  const double limit = std::log(1 / alpha);
  const auto rejected = [&](double p) {
    return evidence - weighted_log(s, p) - weighted_log(f, 1 - p) >= limit;
  };
  const double at = s / (s + f);
  const auto edge = [&](double outside) {
    if (outside == at || !rejected(outside)) return outside;
    double inside = at;
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (outside + inside) / 2;
      (rejected(middle) ? outside : inside) = middle;
    }
    return outside;
  };
  return {edge(0), edge(1)};
}

ArmDifference difference_of(const ArmOutcomes& first, const ArmOutcomes& second, double alpha) {
  ArmDifference difference;
  difference.value = second.mean() - first.mean();
  if (first.n < kOutcomesMin || second.n < kOutcomesMin) return difference;
  const double scale = outcome_scale(first, second);
  const double one = variance_of(first, scale), other = variance_of(second, scale);
  // V: the variance of the difference now. T: that of the mixture over differences, such that the interval is
  // narrowest at kSharpestAt outcomes of each arm (Howard et al., section 3.5).
  const double V = one / static_cast<double>(first.n) + other / static_cast<double>(second.n);
  const double surprise = -2 * std::log(alpha);
  const double T = (surprise + std::log(surprise) + 1) * (one + other) / kSharpestAt;
  if (!(V > 0) || !(T > 0)) return difference;
  difference.known = true;
  const double radius = std::sqrt(2 * V * (V + T) / T * (0.5 * std::log((V + T) / V) - std::log(alpha)));
  difference.low = difference.value - radius;
  difference.high = difference.value + radius;
  const double d = difference.value;
  const double log_ratio = 0.5 * std::log(V / (V + T)) + T * d * d / (2 * V * (V + T));
  difference.p = std::min(1.0, std::exp(-log_ratio));
  return difference;
}

}  // namespace millrace::tasks
