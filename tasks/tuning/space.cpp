#include "tasks/tuning/space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "tasks/arguments.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {

namespace {

using Kind = ParameterRange::Kind;
using Scaling = ParameterRange::Scaling;

double scaled(Scaling scaling, double x) {
  switch (scaling) {
    case Scaling::Linear:
      return x;
    case Scaling::Logarithmic:
      return std::log(x);
    case Scaling::ReverseLogarithmic:
      return -std::log1p(-x);
  }
  return x;
}

double unscaled(Scaling scaling, double t) {
  switch (scaling) {
    case Scaling::Linear:
      return t;
    case Scaling::Logarithmic:
      return std::exp(t);
    case Scaling::ReverseLogarithmic:
      return -std::expm1(-t);
  }
  return t;
}

double half_step(const ParameterRange& range) {
  return range.kind == Kind::Integer ? 0.5 : 0;
}

// The ends of the scaled interval that [0, 1] stands for.
std::pair<double, double> ends_of(const ParameterRange& range) {
  return {scaled(range.scaling, range.low - half_step(range)),
          scaled(range.scaling, range.high + half_step(range))};
}

double place_of(const ParameterRange& range, double value) {
  const auto [low, high] = ends_of(range);
  return low < high ? std::clamp((scaled(range.scaling, value) - low) / (high - low), 0.0, 1.0) : 0.5;
}

double value_of(const ParameterRange& range, double place) {
  const auto [low, high] = ends_of(range);
  const double value = unscaled(range.scaling, low + place * (high - low));
  return std::clamp(range.kind == Kind::Integer ? std::round(value) : value, range.low, range.high);
}

Status parse_scaling(const Arguments& item, ParameterRange& range) {
  MR_TRY(text, item.text_or("ScalingType", "Auto"));
  MR_DO(item.one_of("ScalingType", text, "Auto|Linear|Logarithmic|ReverseLogarithmic"));
  if (text == "Logarithmic" || (text == "Auto" && range.low > 0 && range.high / range.low >= 100)) {
    range.scaling = Scaling::Logarithmic;
    if (range.low <= 0) return item.wrong("ScalingType", "Logarithmic needs a MinValue above 0");
  } else if (text == "ReverseLogarithmic") {
    range.scaling = Scaling::ReverseLogarithmic;
    if (range.kind == Kind::Integer)
      return item.wrong("ScalingType", "ReverseLogarithmic is for continuous ranges");
    if (range.low < 0 || range.high >= 1)
      return item.wrong("ScalingType", "ReverseLogarithmic needs 0 <= MinValue and MaxValue < 1");
  }
  return {};
}

// SageMaker writes the ends as strings; numbers are taken as well.
Result<double> parse_end(const Arguments& item, std::string_view key) {
  const auto as_number = item.real_or(key, 0);
  if (as_number && item.has(key)) return *as_number;
  MR_TRY(text, item.text(key));
  const auto value = parse_real(text);
  if (!value) return item.wrong(key, "'" + text + "' is not a number");
  return *value;
}

Result<ParameterRange> parse_numbers(const Arguments& item, Kind kind) {
  ParameterRange range;
  range.kind = kind;
  MR_TRY(name, item.text("Name"));
  MR_TRY(low, parse_end(item, "MinValue"));
  MR_TRY(high, parse_end(item, "MaxValue"));
  range.name = name, range.low = low, range.high = high;
  if (low > high) return item.wrong("MinValue", "is greater than MaxValue");
  if (kind == Kind::Integer) {
    if (low != std::floor(low)) return item.wrong("MinValue", "is not an integer");
    if (high != std::floor(high)) return item.wrong("MaxValue", "is not an integer");
  }
  MR_DO(parse_scaling(item, range));
  return range;
}

Result<ParameterRange> parse_categories(const Arguments& item) {
  ParameterRange range;
  range.kind = Kind::Categorical;
  MR_TRY(name, item.text("Name"));
  MR_TRY(values, item.texts("Values"));
  if (values.empty()) return item.wrong("Values", "is required: a list of at least one text");
  range.name = name, range.values = values;
  if (std::set<std::string>(values.begin(), values.end()).size() != values.size())
    return item.wrong("Values", "holds a value twice");
  return range;
}

std::uint64_t steps_of(const ParameterRange& range) {
  return range.categorical() ? range.values.size() : static_cast<std::uint64_t>(range.high - range.low) + 1;
}

// Sets parent and `when` of a range from its member Condition.
Status parse_condition(const Arguments& item, const SearchSpace& space, ParameterRange& range) {
  if (!item.has("Condition")) return {};
  MR_TRY(condition, item.object("Condition"));
  MR_TRY(name, condition.text("Name"));
  const auto parent = std::ranges::find(space, name, &ParameterRange::name);
  if (parent == space.end() || !parent->categorical() || name == range.name)
    return condition.wrong("Name", "there is no other categorical range '" + name + "'");
  MR_TRY(values, condition.texts("Values"));
  if (values.empty())
    return condition.wrong("Values", "is required: the values of '" + name + "' it is there with");
  for (const std::string& value : values) {
    const auto found = std::ranges::find(parent->values, value);
    if (found == parent->values.end())
      return condition.wrong("Values", "'" + value + "' is not a value of '" + name + "'");
    range.when.push_back(static_cast<std::size_t>(found - parent->values.begin()));
  }
  std::ranges::sort(range.when);
  range.parent = static_cast<std::size_t>(parent - space.begin());
  return {};
}

// The ranges in their order, but each behind the one it depends on. InvalidArgument for a circle.
Result<SearchSpace> in_order_of_dependence(const SearchSpace& space, std::string_view path) {
  SearchSpace sorted;
  std::vector<std::optional<std::size_t>> place(space.size());
  while (sorted.size() < space.size()) {
    const std::size_t before = sorted.size();
    for (std::size_t i = 0; i < space.size(); ++i) {
      if (place[i] || (space[i].parent && !place[*space[i].parent])) continue;
      place[i] = sorted.size();
      sorted.push_back(space[i]);
      if (space[i].parent) sorted.back().parent = place[*space[i].parent];
    }
    if (sorted.size() == before) return invalid(std::string(path) + ": the conditions go round in a circle");
  }
  return sorted;
}

}  // namespace

bool present(const SearchSpace& space, const Point& point, std::size_t index) {
  const ParameterRange& range = space[index];
  if (!range.parent) return true;
  const double value = point[*range.parent];
  return value != kAbsent && std::ranges::binary_search(range.when, static_cast<std::size_t>(value));
}

std::map<std::string, std::string> values_of(const SearchSpace& space, const Point& point) {
  std::map<std::string, std::string> values;
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (point[i] != kAbsent) values[space[i].name] = value_text(space[i], point[i]);
  }
  return values;
}

Result<Point> point_of(const SearchSpace& space, const std::map<std::string, std::string>& values) {
  Point point(space.size(), kAbsent);
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (!present(space, point, i)) continue;
    const auto found = values.find(space[i].name);
    if (found == values.end()) return invalid("there is no value of " + space[i].name);
    MR_TRY(coordinate, coordinate_of(space[i], found->second));
    point[i] = coordinate;
  }
  return point;
}

Result<SearchSpace> parse_search_space(const Json& parameter_ranges, std::string_view path) {
  const Arguments arguments(parameter_ranges, std::string(path));
  SearchSpace space;
  std::vector<Arguments> all;  // as `space`
  const auto add = [&](const char* key, auto&& parse) -> Status {
    MR_TRY(items, arguments.list(key));
    for (const Arguments& item : items) {
      MR_TRY(range, parse(item));
      if (std::ranges::find(space, range.name, &ParameterRange::name) != space.end()) {
        return item.wrong("Name", "there are two ranges for '" + range.name + "'");
      }
      space.push_back(std::move(range));
      all.push_back(item);
    }
    return {};
  };
  MR_DO(add("IntegerParameterRanges",
            [](const Arguments& item) { return parse_numbers(item, Kind::Integer); }));
  MR_DO(add("ContinuousParameterRanges",
            [](const Arguments& item) { return parse_numbers(item, Kind::Continuous); }));
  MR_DO(add("CategoricalParameterRanges", parse_categories));
  if (space.empty()) {
    return invalid(std::string(path) + ": there is no range to search",
                   "give IntegerParameterRanges, ContinuousParameterRanges or CategoricalParameterRanges");
  }
  for (std::size_t i = 0; i < space.size(); ++i) MR_DO(parse_condition(all[i], space, space[i]));
  return in_order_of_dependence(space, path);
}

std::string value_text(const ParameterRange& range, double coordinate) {
  if (range.categorical()) return range.values.at(static_cast<std::size_t>(coordinate));
  const double value = value_of(range, coordinate);
  if (range.kind == Kind::Integer) return std::to_string(static_cast<std::int64_t>(value));
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

Result<double> coordinate_of(const ParameterRange& range, std::string_view text) {
  if (range.categorical()) {
    const auto found = std::ranges::find(range.values, text);
    if (found == range.values.end())
      return invalid("'" + std::string(text) + "' is not a value of " + range.name);
    return static_cast<double>(found - range.values.begin());
  }
  const auto value = parse_real(text);
  if (!value || *value < range.low || *value > range.high)
    return invalid("'" + std::string(text) + "' is not in the range of " + range.name);
  return place_of(range, *value);
}

double snap(const ParameterRange& range, double place) {
  return range.kind == Kind::Integer ? place_of(range, value_of(range, place)) : place;
}

std::pair<double, double> cell_of(const ParameterRange& range, double coordinate) {
  const double value = value_of(range, coordinate);
  return {place_of(range, value - half_step(range)), place_of(range, value + half_step(range))};
}

Point random_point(const SearchSpace& space, Random& random) {
  Point point(space.size(), kAbsent);
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (!present(space, point, i)) continue;
    point[i] = space[i].categorical() ? static_cast<double>(random.below(space[i].values.size()))
                                      : snap(space[i], random.uniform());
  }
  return point;
}

double grid_size(const SearchSpace& space) {
  double size = 1;
  for (const ParameterRange& range : space) size *= static_cast<double>(steps_of(range));
  return size;
}

Point grid_point(const SearchSpace& space, std::uint64_t number) {
  Point point(space.size());
  for (std::size_t i = space.size(); i-- > 0;) {
    const std::uint64_t steps = steps_of(space[i]), step = number % steps;
    number /= steps;
    point[i] = space[i].categorical() ? static_cast<double>(step)
                                      : place_of(space[i], space[i].low + static_cast<double>(step));
  }
  return point;
}

}  // namespace millrace::tasks
