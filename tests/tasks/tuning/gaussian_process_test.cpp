#include "tasks/tuning/gaussian_process.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/tasks/support/search_functions.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

double best_of_process(int trials, const TestFunction& f, const Suggest& suggest, std::uint64_t seed) {
  std::vector<Observation> observations;
  double best = 1e300;
  for (int t = 0; t < trials; ++t) {
    Random random = Random(seed).derive("trial", static_cast<std::uint64_t>(t));
    Point point = suggest(f.space, observations, random);
    const double value = f.value(f.space, point);
    observations.push_back({std::move(point), value});
    best = std::min(best, value);
  }
  return best;
}

}  // namespace

// At 35 trials. Branin's least value is 0.398, Hartmann's -3.322.
TEST_CASE("Gaussian process: ahead of random search on every smooth function, close to the optimum of two") {
  const std::vector<TestFunction> functions = test_functions();
  for (std::size_t i = 0; i < functions.size(); ++i) {
    int ahead = 0;
    double worst = -1e300;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const double found = best_of_process(35, functions[i], suggest_gaussian_process, seed);
      worst = std::max(worst, found);
      ahead += found < best_of_process(35, functions[i], search_randomly(), seed);
    }
    CAPTURE(functions[i].name);
    MESSAGE(functions[i].name << ": the worst of five seeds " << worst);
    CHECK(ahead >= 4);
    if (functions[i].name == "branin") CHECK(worst < 0.45);
    if (functions[i].name == "hartmann6") CHECK(worst < -2.5);
  }
}

TEST_CASE(
    "Gaussian process: the same arguments give the same point; equal losses and equal points do no harm") {
  const SearchSpace space = test_functions()[1].space;
  std::vector<Observation> observations(30, Observation{{0.5, 0, 1, 0.2, 0.2, 0.3}, 1.0});
  Random a(1), b(1);
  const Point first = suggest_gaussian_process(space, observations, a);
  CHECK(first == suggest_gaussian_process(space, observations, b));
  for (const double x : first) CHECK((x >= 0 && x <= 1));
  for (std::size_t i = 0; i < observations.size(); ++i) observations[i].loss = i % 2 == 0 ? 1e300 : -1e300;
  CHECK(suggest_gaussian_process(space, observations, a).size() == 6);
}

TEST_CASE("Gaussian process: with the optimum in a corner, no point is suggested twice") {
  SearchSpace space(2);
  space[0].name = "a", space[1].name = "b", space[1].kind = ParameterRange::Kind::Integer;
  space[1].low = 1, space[1].high = 6;
  std::vector<Observation> observations;
  for (std::uint64_t t = 0; t < 30; ++t) {
    Random random = Random(2).derive("trial", t);
    Point point = suggest_gaussian_process(space, observations, random);
    for (const Observation& one : observations) CHECK(one.point != point);
    const double loss = -point[0] - point[1];
    observations.push_back({std::move(point), loss});
  }
}

TEST_CASE("Gaussian process: integers, categories and conditions") {
  const TestFunction f = test_functions()[4];
  std::vector<Observation> observations;
  int best_branch = 0;
  for (std::uint64_t t = 0; t < 50; ++t) {
    Random random = Random(11).derive("trial", t);
    Point point = suggest_gaussian_process(f.space, observations, random);
    const auto values = values_of(f.space, point);
    CHECK(values_of(f.space, *point_of(f.space, values)) == values);
    if (t >= 25 && values.at("kind") == "c") ++best_branch;
    const double value = f.value(f.space, point);
    observations.push_back({std::move(point), value});
  }
  CHECK(best_branch > 12);
}
