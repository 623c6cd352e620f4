#include "tasks/deployment/sequential.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/random.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// How often one of the looks says that the arms differ, and after how many outcomes of each arm on average.
struct Simulated {
  double differs = 0, covered = 0, outcomes = 0;
};

template <class Draw>
Simulated simulate(int runs, int outcomes, double difference, Draw draw) {
  Simulated all;
  for (int run = 0; run < runs; ++run) {
    Random random(static_cast<std::uint64_t>(run) + 1000);
    ArmOutcomes first, second;
    bool differs = false, covered = true;
    int needed = outcomes;
    for (int i = 1; i <= outcomes; ++i) {
      first.add(draw(random, 0));
      second.add(draw(random, 1));
      if (i % 10 != 0) continue;
      const ArmDifference found = difference_of(first, second, 0.05);
      if (!found.known) continue;
      covered = covered && found.low <= difference && difference <= found.high;
      if (!differs && (found.low > 0 || found.high < 0)) differs = true, needed = i;
    }
    all.differs += differs, all.covered += covered, all.outcomes += needed;
  }
  all.differs /= runs, all.covered /= runs, all.outcomes /= runs;
  return all;
}

}  // namespace

TEST_CASE(
    "Sequential test: looking after every ten outcomes finds a difference that is not there in less than 5 "
    "%") {
  for (const double rate : {0.02, 0.1, 0.5}) {
    const Simulated none =
        simulate(400, 5000, 0, [&](Random& random, int) { return double(random.uniform() < rate); });
    MESSAGE("rate " << rate << ": " << none.differs * 100 << " % false alarms");
    CHECK(none.differs <= 0.05 + 0.02);  // two standard errors of 400 runs
  }
  const Simulated means =
      simulate(400, 5000, 0, [](Random& random, int) { return std::exp(random.normal()); });
  MESSAGE("skewed means: " << means.differs * 100 << " % false alarms");
  CHECK(means.differs <= 0.05 + 0.02);
}

TEST_CASE("Sequential test: differences are found, and the intervals hold them all the time") {
  const Simulated rates = simulate(
      200, 8000, 0.04, [](Random& random, int arm) { return double(random.uniform() < 0.1 + 0.04 * arm); });
  MESSAGE("10 % against 14 %: found in " << rates.differs * 100 << " %, after " << rates.outcomes
                                         << " outcomes an arm, covered " << rates.covered * 100 << " %");
  CHECK(rates.differs >= 0.95);
  CHECK(rates.covered >= 0.95 - 0.03);
  CHECK(rates.outcomes < 4000);
  const Simulated means =
      simulate(200, 3000, -0.5, [](Random& random, int arm) { return 3 - 0.5 * arm + 2 * random.normal(); });
  MESSAGE("means: found in " << means.differs * 100 << " %, after " << means.outcomes
                             << " outcomes an arm, covered " << means.covered * 100 << " %");
  CHECK(means.differs >= 0.95);
  CHECK(means.covered >= 0.95 - 0.03);
}

TEST_CASE("Sequential test: few outcomes say nothing, and equal ones are not certain") {
  ArmOutcomes first, second;
  CHECK(!difference_of(first, second, 0.05).known);
  for (std::uint64_t i = 0; i < kOutcomesMin; ++i) first.add(0), second.add(0);
  const ArmDifference same = difference_of(first, second, 0.05);
  CHECK(same.known);
  CHECK(same.low < 0);
  CHECK(same.high > 0);
  CHECK(same.p == 1);
  CHECK(same.value == 0);
}

TEST_CASE("Interval of a proportion: exact at the ends, narrower with n, valid at every moment") {
  CHECK(proportion_interval(0, 0, 0.05).low == 0);
  CHECK(proportion_interval(0, 0, 0.05).high == 1);
  CHECK(proportion_interval(0, 100, 0.05).low == 0);
  CHECK(proportion_interval(100, 100, 0.05).high == 1);
  // Of 0 in n the bound is where B(1/2, n + 1/2) / B(1/2, 1/2) = (1 - p)^n / 0.05.
  const double ratio = std::exp(std::lgamma(0.5) + std::lgamma(100.5) - std::lgamma(101.0) -
                                2 * std::lgamma(0.5) + std::lgamma(1.0));
  CHECK(proportion_interval(0, 100, 0.05).high ==
        doctest::Approx(1 - std::pow(0.05 * ratio, 0.01)).epsilon(1e-6));
  double width = 1;
  for (const std::uint64_t n : {10u, 100u, 1000u, 10000u}) {
    const ValidInterval at = proportion_interval(n / 5, n, 0.05);
    CHECK(at.low < 0.2);
    CHECK(at.high > 0.2);
    CHECK(at.high - at.low < width);
    width = at.high - at.low;
  }
  int missed = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    Random random(static_cast<std::uint64_t>(run));
    std::uint64_t s = 0;
    bool out = false;
    for (std::uint64_t n = 1; n <= 2000; ++n) {
      s += random.uniform() < 0.3;
      if (n % 10 != 0) continue;
      const ValidInterval at = proportion_interval(s, n, 0.05);
      out = out || at.low > 0.3 || at.high < 0.3;
    }
    missed += out;
  }
  MESSAGE("left the interval in " << missed << " of " << kRuns << " runs");
  CHECK(missed <= 20);
}
