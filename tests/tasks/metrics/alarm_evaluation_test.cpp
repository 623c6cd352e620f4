#include "tasks/metrics/alarm_evaluation.h"

#include <sstream>

#include "tests/support/cases.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

std::vector<AlarmPoint> points_of(const std::string& text) {
  std::vector<AlarmPoint> points;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    AlarmPoint point;
    point.time = from_millis(static_cast<std::int64_t>(points.size()) * 60'000);
    if (word != "-") point.value = word == "X" ? 9 : 1;
    points.push_back(point);
  }
  return points;
}

AlarmRuleset ruleset(std::size_t to_alarm, std::size_t periods, MissingData missing = MissingData::Missing) {
  AlarmRuleset rules;
  rules.threshold = 5;
  rules.to_alarm = to_alarm;
  rules.periods = periods;
  rules.missing = missing;
  return rules;
}

}  // namespace

TEST_CASE("Alarm: every case of tests/cases/alarms, from each state") {
  const auto cases = tests::cases_of("alarms");
  REQUIRE(cases.size() > 20);
  for (const Json& c : cases) {
    for (const auto& [treatment, expected] : c["expect"].items()) {
      for (const AlarmState before : {AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData}) {
        CAPTURE(c["name"].get<std::string>());
        CAPTURE(treatment);
        CAPTURE(std::string(name_of(before)));
        const auto rules = ruleset(c["to_alarm"].get<std::size_t>(), c["periods"].get<std::size_t>(),
                                   *parse_missing_data(treatment));
        const auto points = points_of(c["points"].get<std::string>());
        REQUIRE(points.size() == evaluation_range(rules));
        const AlarmVerdict verdict = evaluate_alarm(rules, points, before);
        const std::string state(expected == "=" ? name_of(before)
                                                : std::string_view(expected.get_ref<const std::string&>()));
        CHECK(name_of(verdict.state) == state);
        CHECK(!verdict.reason.empty());
      }
    }
  }
}

TEST_CASE("Alarm: the reason names the points, the comparison and the threshold") {
  const auto reason = [](const char* points, AlarmRuleset rules) {
    return evaluate_alarm(rules, points_of(points), AlarmState::Ok).reason;
  };
  CHECK(reason("- - X", ruleset(1, 1)) ==
        "Threshold Crossed: 1 out of the last 1 datapoints [9.0 (01/01/70 00:02:00)] was greater than the "
        "threshold "
        "(5.0) (minimum 1 datapoint for OK -> ALARM transition).");
  CHECK(reason("0 0 X X 0", ruleset(2, 3)) ==
        "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (01/01/70 00:03:00), 9.0 (01/01/70 "
        "00:02:00)] were "
        "greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition).");
  CHECK(
      reason("- - 0", ruleset(1, 1)) ==
      "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (01/01/70 00:02:00)] was not greater than the "
      "threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition).");
  CHECK(reason("- - -", ruleset(1, 1)) == "Insufficient Data: 1 datapoint was unknown.");
  CHECK(
      reason("- - - -", ruleset(2, 2, MissingData::NotBreaching)) ==
      "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
      "[NonBreaching].");
}

TEST_CASE("Alarm: each comparison at its threshold") {
  const auto breaks = [](std::string_view name, double value) {
    AlarmRuleset rules = ruleset(1, 1);
    rules.comparison = *parse_comparison(name);
    return breaches(rules, value);
  };
  CHECK(!breaks("GreaterThanThreshold", 5));
  CHECK(breaks("GreaterThanThreshold", 5.1));
  CHECK(breaks("GreaterThanOrEqualToThreshold", 5));
  CHECK(!breaks("LessThanThreshold", 5));
  CHECK(breaks("LessThanThreshold", 4.9));
  CHECK(breaks("LessThanOrEqualToThreshold", 5));
  CHECK(!parse_comparison("GreaterThanUpperThreshold"));
}
