#include "tasks/tuning/space.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::tasks;

namespace {

SearchSpace space_of(const char* json) {
  auto space = parse_search_space(Json::parse(json), "ParameterRanges");
  REQUIRE_MESSAGE(space.has_value(), (space ? "" : space.error().message));
  return *space;
}

std::string refusal(const char* json) {
  const auto space = parse_search_space(Json::parse(json), "ParameterRanges");
  return space ? "accepted" : space.error().message;
}

}  // namespace

TEST_CASE("search space: ends and middles of every scaling") {
  const SearchSpace space = space_of(R"({
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "10", "ScalingType": "Linear"},
                               {"Name": "width", "MinValue": "1", "MaxValue": "1000"}],
    "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"},
                                  {"Name": "momentum", "MinValue": "0", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
                                  {"Name": "share", "MinValue": 0.5, "MaxValue": 1}],
    "CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}]})");
  REQUIRE(space.size() == 6);
  CHECK(value_text(space[0], 0) == "2");
  CHECK(value_text(space[0], 0.5) == "6");
  CHECK(value_text(space[0], 1) == "10");
  CHECK(space[1].scaling == ParameterRange::Scaling::Logarithmic);
  CHECK(value_text(space[1], 0) == "1");
  CHECK(value_text(space[1], 0.5) == "22");  // exp of the middle of log 0.5 and log 1000.5
  CHECK(std::stod(value_text(space[2], 0.5)) == doctest::Approx(std::sqrt(0.001)));
  CHECK(std::stod(value_text(space[2], 1)) == 1);
  CHECK(std::stod(value_text(space[3], 0.5)) == doctest::Approx(1 - std::sqrt(0.001)));
  CHECK(space[4].scaling == ParameterRange::Scaling::Linear);
  CHECK(value_text(space[4], 0.25) == "0.625");
  CHECK(value_text(space[5], 1) == "dart");
  for (const ParameterRange& range : space) {
    const double coordinate = range.categorical() ? 1 : snap(range, 0.3);
    CHECK(*coordinate_of(range, value_text(range, coordinate)) == doctest::Approx(coordinate));
  }
}

TEST_CASE("search space: integers are drawn evenly, end values too") {
  const SearchSpace space =
      space_of(R"({"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "4"}]})");
  Random random(1);
  std::map<std::string, int> counts;
  for (int i = 0; i < 4000; ++i) ++counts[value_text(space[0], random_point(space, random)[0])];
  REQUIRE(counts.size() == 4);
  for (const auto& [value, count] : counts) CHECK(std::abs(count - 1000) < 130);
}

TEST_CASE("search space: the grid holds every combination once") {
  const SearchSpace space = space_of(R"({
    "IntegerParameterRanges": [{"Name": "n", "MinValue": "3", "MaxValue": "5"}],
    "CategoricalParameterRanges": [{"Name": "c", "Values": ["x", "y"]}]})");
  CHECK(grid_size(space) == 6);
  std::string all;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const Point point = grid_point(space, i);
    all += value_text(space[0], point[0]) + value_text(space[1], point[1]) + " ";
  }
  CHECK(all == "3x 3y 4x 4y 5x 5y ");
}

TEST_CASE("search space: errors name the range and the field") {
  CHECK(refusal("{}") == "ParameterRanges: there is no range to search");
  CHECK(refusal(R"({"IntegerParameterRanges": [{"Name": "n", "MinValue": "5", "MaxValue": "3"}]})") ==
        "ParameterRanges.IntegerParameterRanges[0].MinValue: is greater than MaxValue");
  CHECK(refusal(R"({"IntegerParameterRanges": [{"Name": "n", "MinValue": "1.5", "MaxValue": "3"}]})") ==
        "ParameterRanges.IntegerParameterRanges[0].MinValue: is not an integer");
  CHECK(refusal(R"({"ContinuousParameterRanges": [{"Name": "n", "MinValue": "low", "MaxValue": "3"}]})") ==
        "ParameterRanges.ContinuousParameterRanges[0].MinValue: 'low' is not a number");
  CHECK(
      refusal(
          R"({"ContinuousParameterRanges": [{"Name": "n", "MinValue": "0", "MaxValue": "3", "ScalingType": "Logarithmic"}]})") ==
      "ParameterRanges.ContinuousParameterRanges[0].ScalingType: Logarithmic needs a MinValue above 0");
  CHECK(
      refusal(
          R"({"ContinuousParameterRanges": [{"Name": "n", "MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}]})") ==
      "ParameterRanges.ContinuousParameterRanges[0].ScalingType: ReverseLogarithmic needs 0 <= MinValue and "
      "MaxValue < 1");
  CHECK(
      refusal(
          R"({"ContinuousParameterRanges": [{"Name": "n", "MinValue": "0", "MaxValue": "1"}, {"Name": "n", "MinValue": "0", "MaxValue": "1"}]})") ==
      "ParameterRanges.ContinuousParameterRanges[1].Name: there are two ranges for 'n'");
  CHECK(refusal(R"({"CategoricalParameterRanges": [{"Name": "n", "Values": []}]})") ==
        "ParameterRanges.CategoricalParameterRanges[0].Values: is required: a list of at least one text");
}

TEST_CASE("search space: conditions, whatever the order in which ranges are given") {
  const SearchSpace space = space_of(R"({
    "ContinuousParameterRanges": [{"Name": "rate_drop", "MinValue": 0, "MaxValue": 1,
                                   "Condition": {"Name": "booster", "Values": ["dart"]}}],
    "CategoricalParameterRanges": [
      {"Name": "sample_type", "Values": ["uniform", "weighted"], "Condition": {"Name": "booster", "Values": ["dart"]}},
      {"Name": "booster", "Values": ["gbtree", "dart", "gblinear"]}]})");
  REQUIRE(space.size() == 3);
  CHECK(space[0].name == "booster");
  Random random(6);
  int with = 0;
  for (int i = 0; i < 300; ++i) {
    const Point point = random_point(space, random);
    const auto values = values_of(space, point);
    const bool dart = values.at("booster") == "dart";
    with += dart;
    CHECK(values.size() == (dart ? 3 : 1));
    CHECK(values_of(space, *point_of(space, values)) == values);
  }
  CHECK(with > 70);
  CHECK(!point_of(space, {{"booster", "dart"}, {"rate_drop", "0.5"}}));
  CHECK(point_of(space, {{"booster", "gbtree"}, {"rate_drop", "0.5"}})->at(1) == kAbsent);
}

TEST_CASE("search space: conditions that can't hold are refused") {
  const auto with = [](const std::string& condition) {
    return refusal(
        (R"({"ContinuousParameterRanges": [{"Name": "x", "MinValue": 0, "MaxValue": 1}, {"Name": "y",
      "MinValue": 0, "MaxValue": 1, "Condition": )" +
         condition + R"(}], "CategoricalParameterRanges": [{"Name": "k", "Values": ["a", "b"]}]})")
            .c_str());
  };
  const std::string at = "ParameterRanges.ContinuousParameterRanges[1].Condition.";
  CHECK(with(R"({"Name": "k", "Values": ["b"]})") == "accepted");
  CHECK(with(R"({"Name": "z", "Values": ["b"]})") == at + "Name: there is no other categorical range 'z'");
  CHECK(with(R"({"Name": "x", "Values": ["b"]})") == at + "Name: there is no other categorical range 'x'");
  CHECK(with(R"({"Name": "k", "Values": ["c"]})") == at + "Values: 'c' is not a value of 'k'");
  CHECK(with(R"({"Name": "k"})") == at + "Values: is required: the values of 'k' it is there with");
  CHECK(refusal(R"({"CategoricalParameterRanges": [
    {"Name": "a", "Values": ["1", "2"], "Condition": {"Name": "b", "Values": ["1"]}},
    {"Name": "b", "Values": ["1", "2"], "Condition": {"Name": "a", "Values": ["1"]}}]})") ==
        "ParameterRanges: the conditions go round in a circle");
}
