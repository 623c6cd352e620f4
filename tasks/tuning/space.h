#pragma once
// The space of a search: ranges of hyperparameters as SageMaker writes them, and points in it.
//
// A point has one coordinate for each range: of a number its place in [0, 1] after scaling (for an integer,
// that of the integer itself; the interval is half a step longer on both sides, so that the end values are as
// likely as others), of a category its index. Scaling: Linear; Logarithmic (low > 0) of log x;
// ReverseLogarithmic (0 <= x < 1) of -log(1 - x); Auto is Logarithmic when low > 0 and high / low >= 100,
// else Linear. Values; any thread. Source: SageMaker API reference, ParameterRanges.
//
// Conditional ranges are ours: "Condition": {"Name": "booster", "Values": ["dart"]} in any range says that
// this hyperparameter is there only when the categorical one has one of these values (and is there itself).
// Its coordinate is kAbsent otherwise. In a SearchSpace, ranges stand behind those they depend on.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"

namespace millrace::tasks {

struct ParameterRange {
  enum class Kind { Integer, Continuous, Categorical };
  enum class Scaling { Linear, Logarithmic, ReverseLogarithmic };
  std::string name;
  Kind kind = Kind::Continuous;
  Scaling scaling = Scaling::Linear;
  double low = 0, high = 1;         // of numbers, inclusive
  std::vector<std::string> values;  // of categories
  // The place in the space of the categorical range that decides whether this one is there, and the indexes
  // of its values with which it is.
  std::optional<std::size_t> parent = {};
  std::vector<std::size_t> when = {};

  bool categorical() const { return kind == Kind::Categorical; }
};

using SearchSpace = std::vector<ParameterRange>;
using Point = std::vector<double>;
inline constexpr double kAbsent = -1;  // coordinate of a range whose condition does not hold

// The object ParameterRanges; `path` is its place in the request, for errors. InvalidArgument: no range at
// all, a name twice, ends that are no numbers or the wrong way round, a scaling that does not fit them.
Result<SearchSpace> parse_search_space(const Json& parameter_ranges, std::string_view path);

// The value at a coordinate, as a hyperparameter is written: "6", "0.25", "hist".
std::string value_text(const ParameterRange& range, double coordinate);
// The coordinate of such a text. InvalidArgument when it is not in the range.
Result<double> coordinate_of(const ParameterRange& range, std::string_view text);
// The coordinate of the value nearest to a place in [0, 1] of a number: an integer's own for integers.
double snap(const ParameterRange& range, double place);
// The places in [0, 1] that an integer's coordinate stands for.
std::pair<double, double> cell_of(const ParameterRange& range, double coordinate);

// Whether the range of this index is there, by the coordinates in front of it.
bool present(const SearchSpace& space, const Point& point, std::size_t index);
// The hyperparameters of a point, without those that are not there.
std::map<std::string, std::string> values_of(const SearchSpace& space, const Point& point);
// The point of such hyperparameters; others are passed over. InvalidArgument when one is missing or not in
// its range.
Result<Point> point_of(const SearchSpace& space, const std::map<std::string, std::string>& values);

// Uniform in coordinates.
Point random_point(const SearchSpace& space, Random& random);
// Points of the grid of a space without conditions over categories and integers: how many (at most 1e9 is
// exact), and the one of a number, the last range changing fastest.
double grid_size(const SearchSpace& space);
Point grid_point(const SearchSpace& space, std::uint64_t number);

}  // namespace millrace::tasks
