#pragma once
// Intervals that stay valid however often one looks: with probability 1 - alpha they hold at every moment at
// once, so that a test may be read after each outcome and ended when it is decided. Pure; any thread.
//
// A proportion: all p that the mixture likelihood ratio with Beta(1/2, 1/2) does not reject; exact for any n.
// Source: Robbins, Statistical methods related to the law of the iterated logarithm (1970), with the mixture
// of Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences
// (2021).
//
// A difference of means: the mixture sequential probability ratio test with a normal mixture and estimated
// variances, right for large n; below kOutcomesMin outcomes of an arm nothing is said. Source: Johari,
// Koomen, Pekelis and Walsh, Always valid inference (2022); Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
// Time-uniform central limit theory and asymptotic confidence sequences (2024).

#include <cstdint>

namespace millrace::tasks {

struct ValidInterval {
  double low = 0, high = 1;
};

//   successes <= n, 0 < alpha < 1.
//   returns    the interval of the proportion; [0, 1] for n = 0.
//   cost       some hundred logarithms.
ValidInterval proportion_interval(std::uint64_t successes, std::uint64_t n, double alpha);

// What is known of one arm's outcomes.
struct ArmOutcomes {
  std::uint64_t n = 0;
  double sum = 0, squares = 0;  // of the outcomes, and of their squares

  void add(double outcome) { ++n, sum += outcome, squares += outcome * outcome; }
  double mean() const { return n == 0 ? 0 : sum / static_cast<double>(n); }
};

struct ArmDifference {
  bool known = false;  // false: too few outcomes; what follows says nothing then
  double value = 0;    // mean of the second less that of the first
  double low = 0, high = 0;
  double p = 1;  // always valid, of "there is no difference"
};

inline constexpr std::uint64_t kOutcomesMin = 25;  // of each arm
inline constexpr double kSharpestAt = 5'000;       // outcomes of each arm for which the interval is narrowest

//   returns    the difference `second` - `first` with its interval at level 1 - alpha.
ArmDifference difference_of(const ArmOutcomes& first, const ArmOutcomes& second, double alpha);

}  // namespace millrace::tasks
