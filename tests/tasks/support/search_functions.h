#pragma once
// Closed-form functions to search, with their spaces: Branin, Hartmann's of six variables (Dixon and Szegö,
// 1978), Rosenbrock's valley of four, Ackley's of eight (1987), and one in which a category decides which
// other hyperparameters there are. Smaller is better. For tests and bench/search_bench.cpp.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "tasks/tuning/space.h"
#include "tasks/tuning/tpe.h"

namespace millrace::tasks {

struct TestFunction {
  std::string name;
  SearchSpace space;
  std::function<double(const SearchSpace&, const Point&)> value;
};
// branin (least value 0.3979), hartmann6 (-3.3224), rosenbrock4, ackley8, conditional (0)
std::vector<TestFunction> test_functions();

using Suggest = std::function<Point(const SearchSpace&, std::span<const Observation>, Random&)>;
Suggest search_tpe(TpeMode mode);
Suggest search_randomly();

}  // namespace millrace::tasks
