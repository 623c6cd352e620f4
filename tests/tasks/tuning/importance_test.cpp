#include "tasks/tuning/importance.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/tasks/support/search_functions.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

SearchSpace four_ranges() {
  auto space = parse_search_space(Json::parse(R"({
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": 1, "MaxValue": 10}],
    "ContinuousParameterRanges": [{"Name": "eta", "MinValue": 0, "MaxValue": 1},
                                  {"Name": "noise", "MinValue": 0, "MaxValue": 1}],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b", "c"]}]})"),
                                  "ParameterRanges");
  REQUIRE(space.has_value());
  return *space;
}

std::vector<Observation> drawn(const SearchSpace& space, double (*f)(const Point&), std::size_t n = 300) {
  std::vector<Observation> out;
  Random random(4);
  for (std::size_t i = 0; i < n; ++i) {
    Point point = random_point(space, random);
    const double loss = f(point);
    out.push_back({std::move(point), loss});
  }
  return out;
}

}  // namespace

// By hand: the variance of 2 eta is 4/12, of a category that costs 1 in one case of three 2/9.
TEST_CASE("importance: shares are those of an additive function's variances") {
  const SearchSpace space = four_ranges();
  const auto shares = parameter_importance(
      space, drawn(space, [](const Point& p) { return 2 * p[1] + (p[3] == 2 ? 1.0 : 0.0); }), 1);
  REQUIRE(shares.size() == 4);
  CHECK(shares[0] < 0.03);
  CHECK(shares[1] == doctest::Approx(0.6).epsilon(0.2));
  CHECK(shares[2] < 0.03);
  CHECK(shares[3] == doctest::Approx(0.4).epsilon(0.25));
  CHECK(std::accumulate(shares.begin(), shares.end(), 0.0) <= 1.0 + 1e-9);
}

TEST_CASE("importance: what two do together belongs to neither") {
  const SearchSpace space = four_ranges();
  const auto shares = parameter_importance(
      space, drawn(space, [](const Point& p) { return (p[1] > 0.5) == (p[2] > 0.5) ? 1.0 : 0.0; }), 1);
  REQUIRE(shares.size() == 4);
  for (const double share : shares) CHECK(share < 0.2);
}

TEST_CASE("importance: one disaster, conditions, too few trials, equal losses, repeatable") {
  const SearchSpace space = four_ranges();
  auto observations = drawn(space, [](const Point& p) { return p[1]; });
  observations[7].loss = 1e12;
  const auto shares = parameter_importance(space, observations, 1);
  REQUIRE(shares.size() == 4);
  CHECK(shares[1] > 0.8);
  CHECK(shares == parameter_importance(space, observations, 1));
  CHECK(parameter_importance(space, std::span(observations).first(9), 1).empty());
  for (Observation& one : observations) one.loss = 2;
  CHECK(parameter_importance(space, observations, 1).empty());

  const TestFunction f = test_functions()[4];
  std::vector<Observation> branches;
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    Point point = random_point(f.space, random);
    const double value = f.value(f.space, point);
    branches.push_back({std::move(point), value});
  }
  const auto by_branch = parameter_importance(f.space, branches, 1);
  REQUIRE(by_branch.size() == 6);
  std::size_t rate = 0;
  while (f.space[rate].name != "lr") ++rate;
  for (std::size_t i = 0; i < 6; ++i) CHECK(by_branch[i] <= by_branch[rate]);
}
