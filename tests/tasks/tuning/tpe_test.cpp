#include "tasks/tuning/tpe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/tasks/support/search_functions.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

double best_after(int trials, const TestFunction& f, const Suggest& suggest, std::uint64_t seed) {
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

double median_best(int trials, const TestFunction& f, const Suggest& suggest) {
  std::vector<double> results;
  for (std::uint64_t seed = 0; seed < 11; ++seed) results.push_back(best_after(trials, f, suggest, seed));
  std::ranges::sort(results);
  return results[5];
}

TestFunction function_named(const char* name) {
  for (TestFunction& f : test_functions())
    if (f.name == name) return f;
  FAIL("no such function");
  return {};
}

SearchSpace box(std::size_t dimensions, double low, double high) {
  SearchSpace space;
  for (std::size_t i = 0; i < dimensions; ++i) {
    ParameterRange range;
    range.name = "x" + std::to_string(i), range.low = low, range.high = high;
    space.push_back(range);
  }
  return space;
}

}  // namespace

// Published medians of Optuna 3.1 (11 seeds): Hartmann6 at 50 and 100 trials -2.75 / -3.05 univariate, -2.99
// / -3.12 multivariate, random -1.61 / -2.05; Rosenbrock of four variables at 100 trials 4.16, 4.38,
// random 29.4.
TEST_CASE("TPE finds better points than random search, as its model does") {
  const TestFunction cube = function_named("hartmann6"), valley = function_named("rosenbrock4");
  for (const TpeMode mode : {TpeMode::Mixed, TpeMode::Univariate, TpeMode::Multivariate}) {
    const double h100 = median_best(100, cube, search_tpe(mode)),
                 r100 = median_best(100, valley, search_tpe(mode));
    MESSAGE("mode " << static_cast<int>(mode) << ": Hartmann6 " << h100 << ", Rosenbrock4 " << r100);
    CHECK(h100 < -2.85);
    CHECK(r100 < 7);
  }
  CHECK(median_best(25, cube, search_tpe(TpeMode::Mixed)) < -1.9);
  CHECK(median_best(100, cube, search_randomly()) > -2.6);
  CHECK(median_best(100, valley, search_randomly()) > 9);
}

// Pairs of searches with the same seed: 15 of 20 or more come by chance once in 48 times, were the two as
// good as each other; all five functions at once, never.
TEST_CASE("TPE is ahead of random search on every test function, whatever the seed") {
  for (const TestFunction& f : test_functions()) {
    int ahead = 0;
    for (std::uint64_t seed = 100; seed < 120; ++seed)
      ahead +=
          best_after(60, f, search_tpe(TpeMode::Mixed), seed) < best_after(60, f, search_randomly(), seed);
    CAPTURE(f.name);
    CHECK(ahead >= 15);
  }
}

TEST_CASE("TPE leaves out what a condition leaves out, and models each branch by itself") {
  const TestFunction f = function_named("conditional");
  for (const TpeMode mode : {TpeMode::Mixed, TpeMode::Univariate, TpeMode::Multivariate}) {
    std::vector<Observation> observations;
    int best_branch = 0;
    for (std::uint64_t t = 0; t < 100; ++t) {
      Random random = Random(3).derive("trial", t);
      Point point = suggest_tpe(f.space, observations, random, mode);
      const auto values = values_of(f.space, point);
      const std::string kind = values.at("kind");
      CHECK(values.contains("depth_a") == (kind == "a"));
      CHECK(values.contains("drop_b") == (kind == "b"));
      CHECK(values.contains("mom_c") == (kind == "c"));
      CHECK(values.contains("width_c") == (kind == "c"));
      CHECK(values_of(f.space, *point_of(f.space, values)) == values);
      if (t >= 50 && kind == "c") ++best_branch;
      const double value = f.value(f.space, point);
      observations.push_back({std::move(point), value});
    }
    CHECK(best_branch > 25);
  }
}

TEST_CASE("TPE learns integers and categories") {
  SearchSpace space = box(1, 0, 1);
  space[0].kind = ParameterRange::Kind::Integer, space[0].low = 1, space[0].high = 512;
  space[0].scaling = ParameterRange::Scaling::Logarithmic;
  ParameterRange kind;
  kind.name = "kind", kind.kind = ParameterRange::Kind::Categorical, kind.values = {"a", "b", "c", "d"};
  space.push_back(kind);
  std::vector<Observation> observations;
  int late_hits = 0;
  for (std::uint64_t t = 0; t < 80; ++t) {
    Random random = Random(5).derive("trial", t);
    const Point point = suggest_tpe(space, observations, random);
    const double n = std::stod(value_text(space[0], point[0]));
    const bool c = value_text(space[1], point[1]) == "c";
    if (t >= 40 && c && n > 16 && n < 256) ++late_hits;
    observations.push_back({point, std::pow(std::log(n / 64), 2) + (c ? 0 : 3)});
  }
  CHECK(late_hits > 28);
}

TEST_CASE(
    "TPE: the same observations and seed give the same point; equal losses and one point many times do no "
    "harm") {
  const SearchSpace space = box(3, 0, 1);
  std::vector<Observation> observations(60, Observation{{0.5, 0, 1}, 1.0});
  Random a(1), b(1);
  const Point first = suggest_tpe(space, observations, a);
  CHECK(first == suggest_tpe(space, observations, b));
  for (const double x : first) CHECK((x >= 0 && x <= 1));
}
