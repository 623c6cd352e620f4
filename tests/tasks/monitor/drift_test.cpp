#include "tasks/monitor/drift.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {
WeightedValues ones(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  WeightedValues out;
  for (const double value : values) out.emplace_back(value, 1);
  return out;
}
}  // namespace

TEST_CASE("drift: two small samples, worked out with scipy and numpy") {
  const WeightedValues b =
      ones({16.1, 2.3,  11.3, 8.3,  8.6, 9.4,  3.9,  9.3,  7.4, 20.0, 10.7, 8.9,  9.2, 8.0, 6.8,
            8.8,  11.4, 9.3,  12.9, 9.4, 10.1, 14.6, 11.6, 8.5, 9.5,  11.6, 15.8, 9.2, 9.3, 13.0});
  const WeightedValues c = ones({8.0, 10.3, 15.0, 13.8, 11.9, 14.2, 0.2,  15.6, 7.7, 4.8,  12.6, 14.3, 9.7,
                                 7.2, 11.6, 11.3, 17.1, 14.5, 12.3, 15.9, 10.7, 7.8, 13.8, 13.8, 10.6});
  CHECK(ks_distance(b, c) == doctest::Approx(0.36).epsilon(1e-12));
  CHECK(ks_distance(b, b) == 0);
  CHECK(wasserstein_distance(b, c) == doctest::Approx(1.77066666666667).epsilon(1e-12));
  const BinnedCounts bins = decile_counts(b, c);
  CHECK(bins.baseline == std::vector<double>(10, 3));
  CHECK(bins.current == std::vector<double>{3, 3, 0, 0, 0, 1, 4, 1, 9, 4});
  CHECK(population_stability(bins) == doctest::Approx(3.96053408614096).epsilon(1e-12));
  CHECK(js_divergence(bins) == doctest::Approx(0.164132423369712).epsilon(1e-12));
  CHECK(linf_distance(bins) == doctest::Approx(0.26).epsilon(1e-12));
  // A value of weight 2 is two equal values.
  CHECK(ks_distance({{1, 2}, {3, 1}}, {{2, 3}}) == ks_distance({{1, 1}, {1, 1}, {3, 1}}, {{2, 1}, {2, 2}}));
}

TEST_CASE("drift: chi-square and its tail, as scipy has them") {
  const BinnedCounts counts = {{50, 30, 15, 5, 0}, {40, 35, 10, 10, 5}};
  const ChiSquare chi = chi_square(counts);
  CHECK(chi.statistic == doctest::Approx(9.16239316239316).epsilon(1e-12));
  CHECK(chi.p_value == doctest::Approx(0.057166147271349).epsilon(1e-11));
  CHECK(population_stability(counts) == doctest::Approx(0.625930597998419).epsilon(1e-12));
  const double tails[][3] = {{1.5, 1, 0.220671361919843},
                             {10, 3, 0.0185661354630433},
                             {100, 60, 0.000916828861456084},
                             {0.1, 7, 0.999997688581201},
                             {250, 20, 1.14230935231637e-41}};
  for (const auto& [x, degrees, p] : tails)
    CHECK(chi_square_tail(x, degrees) == doctest::Approx(p).epsilon(1e-10));
  CHECK(chi_square({{5}, {7}}).p_value == 1);
  CHECK(chi_square({{0, 0}, {1, 2}}).statistic == 0);
}

// Counts of the rows that the fraud generator writes with --rows 200000 --seed 7 --drift 100000, first half
// and second; the distances were computed with numpy and scipy for the peers' golden values.
TEST_CASE("drift: categories of 200,000 transactions") {
  struct Case {
    const char* name;
    BinnedCounts counts;
    double psi, js, linf, chi2, p;
  };
  const Case cases[] = {
      {"merchant_category",
       {{7996, 5032, 5965, 11988, 2080, 24232, 1044, 6837, 6883, 18105, 3998, 5840},
        {7998, 4975, 5873, 12208, 1999, 23941, 977, 7029, 6910, 18009, 4086, 5995}},
       0.00029167535,
       3.6457612e-05,
       0.00291,
       14.582323,
       0.20242777},
      {"channel",
       {{55124, 32791, 12085}, {54995, 32797, 12208}},
       1.5488892e-05,
       1.9361048e-06,
       0.00129,
       0.77443921,
       0.67894198},
      {"time_of_day",
       {{42335, 30660, 23880, 3125}, {42335, 30661, 23880, 3124}},
       3.5266647e-09,
       4.4083306e-10,
       1e-05,
       0.00017633323,
       0.99999938},
      {"out_of_state", {{94235, 5765}, {88820, 11180}}, 0.039069286, 0.004803417, 0.05415, 1890.6178, 0.0},
      {"state",
       {{128,  1540, 688,  2518, 12383, 1993, 1111, 282,  7193, 2881, 361,  793, 453,  3917, 2050, 691, 1304,
         1189, 2133, 1713, 372,  2726,  2123, 2490, 879,  306,  2984, 143,  614, 478,  2625, 758,  984, 5577,
         3648, 1594, 1309, 3997, 457,   1499, 228,  2134, 7924, 865,  3132, 35,  2185, 1953, 493,  167},
        {155,  1502, 730,  2476, 12432, 2014, 1149, 297,  6984, 3015, 345,  827, 451,  3709, 2131, 685,  1213,
         1199, 2158, 1660, 346,  2690,  2030, 2565, 851,  259,  2995, 146,  588, 521,  2678, 718,  1000, 5643,
         3579, 1613, 1271, 4260, 400,   1475, 239,  2215, 7972, 950,  3231, 53,  2125, 1793, 484,  178}},
       0.0014201392,
       0.00017740095,
       0.00263,
       70.914289,
       0.021957245},
  };
  for (const Case& entry : cases) {
    CAPTURE(entry.name);
    const auto near = [](double value, double expected) {  // golden numbers have eight digits
      return std::abs(value - expected) <= 1e-8 * std::max(1.0, std::abs(expected) * 10);
    };
    CHECK(near(population_stability(entry.counts), entry.psi));
    CHECK(near(js_divergence(entry.counts), entry.js));
    CHECK(near(linf_distance(entry.counts), entry.linf));
    CHECK(near(chi_square(entry.counts).statistic, entry.chi2));
    CHECK(near(chi_square(entry.counts).p_value, entry.p));
  }
}

TEST_CASE("drift: Robust forgives what small samples differ by") {
  CHECK(robust_distance(0.3, 50, 50) == 0);
  CHECK(robust_distance(0.3, 50'000, 50'000) == doctest::Approx(0.3 - 1.8 * std::sqrt(2.0 / 50'000)));
}
