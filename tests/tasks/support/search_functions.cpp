#include "tests/tasks/support/search_functions.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/check.h"

namespace millrace::tasks {

namespace {

using Numbers = std::vector<double>;

SearchSpace box_space(std::size_t dimensions, double low, double high) {
  SearchSpace space;
  for (std::size_t i = 0; i < dimensions; ++i) {
    ParameterRange range;
    range.name = "x" + std::to_string(i), range.low = low, range.high = high;
    space.push_back(range);
  }
  return space;
}

TestFunction over_box(std::string name, SearchSpace space, double (*f)(const Numbers&)) {
  return {std::move(name), std::move(space), [f](const SearchSpace& s, const Point& point) {
            Numbers x;
            for (std::size_t i = 0; i < s.size(); ++i) x.push_back(std::stod(value_text(s[i], point[i])));
            return f(x);
          }};
}

double branin(const Numbers& x) {
  constexpr double pi = std::numbers::pi;
  const double a = x[1] - 5.1 / (4 * pi * pi) * x[0] * x[0] + 5 / pi * x[0] - 6;
  return a * a + 10 * (1 - 1 / (8 * pi)) * std::cos(x[0]) + 10;
}

double hartmann6(const Numbers& x) {
  constexpr double a[4][6] = {
      {10, 3, 17, 3.5, 1.7, 8}, {.05, 10, 17, .1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, .05, 10, .1, 14}};
  constexpr double p[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                              {2329, 4135, 8307, 3736, 1004, 9991},
                              {2348, 1451, 3522, 2883, 3047, 6650},
                              {4047, 8828, 8732, 5743, 1091, 381}};
  constexpr double c[4] = {1, 1.2, 3, 3.2};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double inner = 0;
    for (int j = 0; j < 6; ++j)
      inner += a[i][j] * std::pow(x[static_cast<std::size_t>(j)] - 1e-4 * p[i][j], 2);
    sum -= c[i] * std::exp(-inner);
  }
  return sum;
}

double rosenbrock(const Numbers& x) {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i)
    sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + std::pow(1 - x[i], 2);
  return sum;
}

double ackley(const Numbers& x) {
  double squares = 0, waves = 0;
  const auto n = static_cast<double>(x.size());
  for (const double one : x) {
    squares += one * one;
    waves += std::cos(2 * std::numbers::pi * one);
  }
  return -20 * std::exp(-.2 * std::sqrt(squares / n)) - std::exp(waves / n) + 20 + std::numbers::e;
}

constexpr const char* kConditionalSpace = R"({
  "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b", "c"]}],
  "ContinuousParameterRanges": [
    {"Name": "lr", "MinValue": "1e-5", "MaxValue": "1", "ScalingType": "Logarithmic"},
    {"Name": "drop_b", "MinValue": "0", "MaxValue": "0.9", "Condition": {"Name": "kind", "Values": ["b"]}},
    {"Name": "mom_c", "MinValue": "0", "MaxValue": "1", "Condition": {"Name": "kind", "Values": ["c"]}}],
  "IntegerParameterRanges": [
    {"Name": "depth_a", "MinValue": "1", "MaxValue": "12", "Condition": {"Name": "kind", "Values": ["a"]}},
    {"Name": "width_c", "MinValue": "4", "MaxValue": "512", "ScalingType": "Logarithmic",
     "Condition": {"Name": "kind", "Values": ["c"]}}]})";

double conditional(const SearchSpace& space, const Point& point) {
  const std::map<std::string, std::string> values = values_of(space, point);
  const auto number = [&](const char* name) { return std::stod(values.at(name)); };
  const double rate = std::pow(std::log10(number("lr")) + 2.5, 2);
  if (values.at("kind") == "a") return rate + 0.6 + std::pow(number("depth_a") - 5, 2) / 20;
  if (values.at("kind") == "b") return rate + 0.4 + std::pow(number("drop_b") - 0.3, 2) * 4;
  return rate + std::pow(number("width_c") - 64, 2) / 4e4 + std::pow(number("mom_c") - 0.9, 2) * 3;
}

}  // namespace

std::vector<TestFunction> test_functions() {
  SearchSpace plane = box_space(2, 0, 15);
  plane[0].low = -5, plane[0].high = 10;
  auto branches = parse_search_space(Json::parse(kConditionalSpace), "ParameterRanges");
  MR_CHECK(branches.has_value(), "the conditional space is a valid one");
  return {over_box("branin", plane, branin),
          over_box("hartmann6", box_space(6, 0, 1), hartmann6),
          over_box("rosenbrock4", box_space(4, -2, 2), rosenbrock),
          over_box("ackley8", box_space(8, -10, 20), ackley),
          {"conditional", *branches, conditional}};
}

Suggest search_tpe(TpeMode mode) {
  return [mode](const SearchSpace& s, std::span<const Observation> o, Random& r) {
    return suggest_tpe(s, o, r, mode);
  };
}

Suggest search_randomly() {
  return [](const SearchSpace& s, std::span<const Observation>, Random& r) { return random_point(s, r); };
}

}  // namespace millrace::tasks
