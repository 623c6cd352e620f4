#include "tasks/metrics/metric_math.h"

#include <doctest/doctest.h>

#include "tasks/metrics/alarm_rule.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Minutes 0, 1, 2, …; NAN is missing.
MetricPoints series(const std::vector<double>& values) {
  MetricPoints points;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] == values[i])
      points.emplace_back(from_millis(static_cast<std::int64_t>(i) * 60'000), values[i]);
  return points;
}

MathEnvironment environment() {
  MathEnvironment out;
  out.values["m1"] = series({1, 2, NAN, 4});
  out.values["m2"] = series({10, NAN, 30, 40});
  out.values["errors"] = series({0, 5, 0, 2});
  out.metrics = {"m1", "m2", "errors"};
  out.start = from_millis(0);
  out.end = from_millis(240'000);
  return out;
}

std::string shown(const MathValue& value) {
  const auto points = [](const MetricPoints& list) {
    std::string out = "[";
    for (const auto& [time, number] : list) {
      char text[64];
      std::snprintf(text, sizeof text, "%s%lld:%.4g", out.size() > 1 ? " " : "",
                    static_cast<long long>(to_millis(time) / 60'000), number);
      out += text;
    }
    return out + "]";
  };
  if (const auto* number = std::get_if<double>(&value)) {
    char text[64];
    std::snprintf(text, sizeof text, "%.4g", *number);
    return text;
  }
  if (const auto* list = std::get_if<MetricPoints>(&value)) return points(*list);
  std::string out = "(";
  for (const MetricPoints& one : std::get<std::vector<MetricPoints>>(value)) out += points(one);
  return out + ")";
}

std::string math(const char* text) {
  const auto parsed = MetricMath::parse(text);
  if (!parsed) return "! " + parsed.error().message;
  const auto value = parsed->evaluate(environment());
  return value ? shown(*value) : "? " + value.error().message;
}

}  // namespace

TEST_CASE("Metric math: operators") {
  CHECK(math("1 + 2 * 3 - 4 / 2") == "5");
  CHECK(math("(1 + 2) * 3") == "9");
  CHECK(math("2 ^ 3 ^ 2") == "512");
  CHECK(math("-2 ^ 2") == "-4");
  CHECK(math("m1 + m2") == "[0:11 3:44]");  // where both have values
  CHECK(math("m1 * 100") == "[0:100 1:200 3:400]");
  CHECK(math("100 - m1") == "[0:99 1:98 3:96]");
  CHECK(math("m1 / errors") == "[1:0.4 3:2]");  // by zero: no point
  CHECK(math("errors > 1") == "[0:0 1:1 2:0 3:1]");
  CHECK(math("errors > 1 AND m1 >= 4") == "[0:0 1:0 3:1]");
  CHECK(math("errors == 0 || m1 == 2") == "[0:1 1:1 3:0]");
  CHECK(math("!errors") == "[0:1 1:0 2:1 3:0]");
  CHECK(math("METRICS() * 2") == "([0:2 1:4 3:8][0:20 2:60 3:80][0:0 1:10 2:0 3:4])");
}

TEST_CASE("Metric math: functions") {
  CHECK(math("SUM(METRICS())") == "[0:11 1:7 2:30 3:46]");
  CHECK(math("SUM(METRICS(\"m\"))") == "[0:11 1:2 2:30 3:44]");
  CHECK(math("SUM([m1, m2])") == "[0:11 1:2 2:30 3:44]");
  CHECK(math("AVG([m1, m2])") == "[0:5.5 1:2 2:30 3:22]");
  CHECK(math("MAX(m1)") == "4");
  CHECK(math("AVG(m1)") == "2.333");
  CHECK(math("m1 / AVG(m1)") == "[0:0.4286 1:0.8571 3:1.714]");
  CHECK(math("STDDEV([m1, m2])") == "[0:4.5 1:0 2:0 3:18]");
  CHECK(math("FILL(m1, 0)") == "[0:1 1:2 2:0 3:4]");
  CHECK(math("FILL(m1, REPEAT)") == "[0:1 1:2 2:2 3:4]");
  CHECK(math("FILL(m1, LINEAR)") == "[0:1 1:2 2:3 3:4]");
  CHECK(math("FILL(m1, m2)") == "[0:1 1:2 2:30 3:4]");
  CHECK(math("IF(errors > 1, 1, 0)") == "[0:0 1:1 2:0 3:1]");
  CHECK(math("IF(errors > 1, m1)") == "[1:2 3:4]");
  CHECK(math("IF(1, m1, m2)") == "[0:1 1:2 3:4]");
  CHECK(math("DIFF(m1)") == "[1:1 3:2]");
  CHECK(math("RATE(m1)") == "[1:0.01667 3:0.01667]");
  CHECK(math("DIFF_TIME(m1)") == "[1:60 3:120]");
  CHECK(math("RUNNING_SUM(m1)") == "[0:1 1:3 3:7]");
  CHECK(math("ABS(0 - m1)") == "[0:1 1:2 3:4]");
  CHECK(math("CEIL(LOG10(m2))") == "[0:1 2:2 3:2]");
  CHECK(math("METRIC_COUNT(METRICS())") == "3");
  CHECK(math("PERIOD(m1)") == "60");
  CHECK(math("TIME_SERIES(7)") == "[0:7 1:7 2:7 3:7]");
  CHECK(math("FIRST(METRICS())") == "[0:1 1:2 3:4]");
}

TEST_CASE("Metric math: what is wrong is said with its place, what is not here by its name") {
  CHECK(
      math("m1 +") ==
      "! expected a number, an id, a function or '(' at position 5 of the expression, but there is its end");
  CHECK(math("m1 m2") ==
        "! expected an operator or the end of the expression at position 4 of the expression, but there is "
        "'m2'");
  CHECK(math("SUM(m1").starts_with("! expected ',' or ')'"));
  CHECK(math("SEARCH('{AWS/EC2} CPU', 'Average', 300)") ==
        "! the function SEARCH at position 1 of the expression is not served here");
  CHECK(math("RATE(m1, m2)") == "! the function RATE takes 1 arguments, 2 are given");
  CHECK(math("nobody + 1") == "? there is no metric or expression 'nobody'");
  CHECK(math("METRICS() + METRICS()") == "? two arrays of time series can't be combined by an operator");
  CHECK(math("m1 + REPEAT") == "? 'REPEAT' is no value");
  CHECK(!MetricMath::parse(std::string(MetricMath::kTextMax + 1, '1')));
  CHECK(!MetricMath::parse(std::string(1000, '(') + "1" + std::string(1000, ')')));
  CHECK(!MetricMath::parse(std::string(1000, '-') + "1"));
  std::string chain = "1";
  for (int i = 0; i < 600; ++i) chain += "+1";
  CHECK(!MetricMath::parse(chain));
  // Arrays of arrays do not grow without limit.
  MathEnvironment many;
  many.values["e"] = std::vector<MetricPoints>(400, series({1}));
  const auto doubled = MetricMath::parse("[e, e]");
  REQUIRE(doubled);
  CHECK(!doubled->evaluate(many));
}

TEST_CASE("Alarm rule: AND binds tighter than OR, NOT tighter than both; names in quotes, bare, as ARNs") {
  const auto holds = [](const char* text) {
    const auto rule = AlarmRule::parse(text);
    REQUIRE_MESSAGE(rule, rule.error().message);
    return rule->holds([](const std::string& name) {
      if (name == "on" || name == "a \"quoted\" (one)") return AlarmState::Alarm;
      return name == "off" ? AlarmState::Ok : AlarmState::InsufficientData;
    });
  };
  CHECK(holds("ALARM(on)"));
  CHECK(holds("ALARM(\"on\") AND OK(off)"));
  CHECK(!holds("ALARM(on) AND ALARM(off)"));
  CHECK(holds("TRUE OR FALSE AND FALSE"));
  CHECK(!holds("(TRUE OR FALSE) AND FALSE"));
  CHECK(holds("NOT ALARM(off) AND NOT FALSE"));
  CHECK(holds("INSUFFICIENT_DATA(nobody)"));
  CHECK(holds("ALARM(\"a \\\"quoted\\\" (one)\")"));
  CHECK(holds("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:on)"));
  const auto rule = AlarmRule::parse("ALARM(b) OR OK(a) OR NOT ALARM(b)");
  REQUIRE(rule);
  CHECK(rule->alarms() == std::vector<std::string>{"b", "a"});
}

TEST_CASE("Alarm rule: what is wrong is said with its place") {
  const auto error = [](const std::string& text) {
    const auto rule = AlarmRule::parse(text);
    return rule ? std::string() : rule.error().message;
  };
  CHECK(error("ALARM(a) AND") ==
        "AlarmRule: expected ALARM(…), OK(…), INSUFFICIENT_DATA(…), TRUE, FALSE, NOT or '(' at position 13, "
        "but there "
        "is the end of the rule");
  CHECK(error("ALARM(a) ALARM(b)")
            .starts_with("AlarmRule: expected AND, OR or the end of the rule at position 10"));
  CHECK(error("ALARM a").starts_with("AlarmRule: expected '('"));
  CHECK(error("ALARM()").starts_with("AlarmRule: expected the name of an alarm"));
  CHECK(error("ALARM(\"a)").starts_with("AlarmRule: expected the end of the alarm's name"));
  CHECK(error("TRUEX").starts_with("AlarmRule: expected"));
  CHECK(error(std::string(2000, '(') + "TRUE") == "AlarmRule: nested deeper than 100 levels");
  std::string many = "TRUE";
  for (int i = 0; i < 600; ++i) many += " OR TRUE";
  CHECK(error(many) == "AlarmRule: more than 500 elements");
}
