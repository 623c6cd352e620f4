#include "tasks/tuning/hyperband.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

namespace {

// The shares of the brackets in a run of trials: the fewer rungs a trial may fall at, the more it costs.
std::vector<std::size_t> shares(int brackets) {
  std::vector<std::size_t> out;
  for (int bracket = 0; bracket < brackets; ++bracket) {
    const double wanted = static_cast<double>(brackets) / (brackets - bracket) *
                          std::pow(static_cast<double>(kHalvingFactor), brackets - 1 - bracket);
    out.push_back(static_cast<std::size_t>(std::ceil(wanted)));
  }
  return out;
}

}  // namespace

int bracket_count(const HalvingSpan& span) {
  int count = 1;
  for (std::int64_t resource = span.least; resource <= span.most / kHalvingFactor; resource *= kHalvingFactor)
    ++count;
  return count;
}

// Brackets take turns so that every stretch of trials has them in their shares: the one that lags most is
// next.
int bracket_of(const HalvingSpan& span, std::size_t trial) {
  const std::vector<std::size_t> share = shares(bracket_count(span));
  std::size_t total = 0;
  for (const std::size_t one : share) total += one;
  std::vector<std::size_t> given(share.size());
  int next = 0;
  for (std::size_t i = 0; i <= trial % total; ++i) {
    next = 0;
    for (std::size_t b = 1; b < share.size(); ++b) {
      // given / share is smaller than that of `next`
      if (given[b] * share[static_cast<std::size_t>(next)] < given[static_cast<std::size_t>(next)] * share[b])
        next = static_cast<int>(b);
    }
    ++given[static_cast<std::size_t>(next)];
  }
  return next;
}

bool halving_stops(const HalvingSpan& span, int bracket, std::span<const double> curve,
                   std::span<const std::vector<double>> others, bool maximize) {
  const auto used = static_cast<std::int64_t>(curve.size());
  if (used >= span.most) return span.cut;
  std::int64_t rung = span.least;
  for (int i = 0; i < bracket; ++i) rung *= kHalvingFactor;
  while (rung < used) rung *= kHalvingFactor;
  if (rung != used) return false;
  const double value = curve.back();
  std::size_t reached = 1, better = 0;
  for (const std::vector<double>& other : others) {
    if (other.size() < curve.size()) continue;
    ++reached;
    const double there = other[curve.size() - 1];
    better += maximize ? there > value : there < value;
  }
  return better >= std::max<std::size_t>(1, reached / kHalvingFactor);
}

}  // namespace millrace::tasks
