#include "tasks/tuning/hyperband.h"

#include <doctest/doctest.h>

#include <map>

using namespace millrace::tasks;

TEST_CASE("Hyperband: brackets begin at powers of three and share the resource") {
  const HalvingSpan span{1, 81};
  CHECK(bracket_count(span) == 5);  // first rungs 1, 3, 9, 27, 81
  CHECK(bracket_count({1, 1}) == 1);
  CHECK(bracket_count({2, 5}) == 1);
  CHECK(bracket_count({2, 6}) == 2);
  // ceil(5 / (s + 1) * 3^s) trials start in the bracket s (Hyperband, algorithm 1, with R = 81).
  std::map<int, int> counts;
  for (std::size_t trial = 0; trial < 81 + 34 + 15 + 8 + 5; ++trial) ++counts[bracket_of(span, trial)];
  CHECK(counts == std::map<int, int>{{0, 81}, {1, 34}, {2, 15}, {3, 8}, {4, 5}});
  std::map<int, int> first;
  for (std::size_t trial = 0; trial < 14; ++trial) ++first[bracket_of(span, trial)];
  CHECK(first.size() == 5);  // none waits for the others to be done
}

TEST_CASE("Hyperband: a trial goes on from a rung when it is among the best third there") {
  const HalvingSpan span{2, 18};
  const std::vector<std::vector<double>> others{{9, 5}, {9, 3}, {9, 4, 4, 4, 4, 3}, {9}, {9, 8}, {9, 7}};
  const auto stops = [&](std::vector<double> curve, int bracket = 0, bool maximize = false) {
    return halving_stops(span, bracket, curve, others, maximize);
  };
  CHECK(!stops({1}));                  // no rung
  CHECK(!stops({9, 2}));               // of six at the rung two go on: the best
  CHECK(!stops({9, 3.5}));             // the second
  CHECK(stops({9, 4.5}));              // the fourth
  CHECK(stops({9, 3, 3, 3, 3, 3.5}));  // next rung, 6: one other, only the better goes on
  CHECK(!stops({9, 3, 3, 3, 3, 2.5}));
  CHECK(!stops({9, 4.5}, 1));  // the bracket 1 begins at 6
  CHECK(stops({9, 2}, 0, true));
  CHECK(!stops({9, 7.5}, 0, true));
  CHECK(!stops(std::vector<double>(18, 1.0)));
  CHECK(halving_stops({2, 4, true}, 0, std::vector<double>(4, 1.0), {}, false));
}
