// Metric math, a newline, the rule of a composite alarm: what parses can be evaluated, and its points are
// finite and in order.

#include <cmath>

#include "base/check.h"
#include "tasks/metrics/alarm_rule.h"
#include "tasks/metrics/metric_math.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

MetricPoints some_points(int from, int step) {
  MetricPoints points;
  for (int i = from; i < 20; i += step) points.emplace_back(from_millis(i * 60'000), (i - 7) * 1.5);
  return points;
}

void check_points(const MetricPoints& points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    MR_CHECK(std::isfinite(points[i].second), "points are numbers");
    MR_CHECK(i == 0 || points[i - 1].first < points[i].first, "points are in order");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [expression, rule_text] = fuzz::parts_of(data, size);
  static const MathEnvironment kEnvironment = [] {
    MathEnvironment made;
    made.values["m1"] = some_points(0, 1);
    made.values["m2"] = some_points(3, 4);
    made.values["e1"] = 3.0;
    made.metrics = {"m1", "m2"};
    made.start = from_millis(0);
    made.end = from_millis(20 * 60'000);
    return made;
  }();
  if (const auto math = MetricMath::parse(expression)) {
    const auto value = math->evaluate(kEnvironment);
    if (value && std::holds_alternative<MetricPoints>(*value)) check_points(std::get<MetricPoints>(*value));
    if (value && std::holds_alternative<std::vector<MetricPoints>>(*value))
      for (const MetricPoints& points : std::get<std::vector<MetricPoints>>(*value)) check_points(points);
  }
  if (const auto rule = AlarmRule::parse(rule_text)) {
    std::size_t asked = 0;
    rule->holds([&](const std::string& name) {
      MR_CHECK(!name.empty(), "alarms have names");
      ++asked;
      return name.size() % 2 == 0 ? AlarmState::Alarm : AlarmState::Ok;
    });
    MR_CHECK(asked <= AlarmRule::kElementsMax, "it asks for what it names");
  }
  return 0;
}
