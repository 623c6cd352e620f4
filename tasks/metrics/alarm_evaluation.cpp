#include "tasks/metrics/alarm_evaluation.h"

#include <algorithm>
#include <cmath>

#include "base/payload.h"

namespace millrace::tasks {
namespace {

struct ComparisonName {
  std::string_view name;
  Comparison comparison;
  std::string_view words;
};
constexpr ComparisonName kComparisons[] = {
    {"GreaterThanThreshold", Comparison::Greater, "greater than"},
    {"GreaterThanOrEqualToThreshold", Comparison::GreaterOrEqual, "greater than or equal to"},
    {"LessThanThreshold", Comparison::Less, "less than"},
    {"LessThanOrEqualToThreshold", Comparison::LessOrEqual, "less than or equal to"},
};
constexpr std::pair<std::string_view, MissingData> kTreatments[] = {
    {"missing", MissingData::Missing},
    {"ignore", MissingData::Ignore},
    {"breaching", MissingData::Breaching},
    {"notBreaching", MissingData::NotBreaching},
};

std::string_view comparison_words(Comparison comparison) {
  for (const ComparisonName& one : kComparisons)
    if (one.comparison == comparison) return one.words;
  return {};
}

// 100000.0, not 1e+05.
std::string number_words(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15)
    return std::to_string(static_cast<std::int64_t>(value)) + ".0";
  JsonWriter out;
  out.number(value);
  return std::string(out.finish().text());
}

std::string counted(std::size_t n, std::string_view what) {
  return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

// "21/11/26 19:35:00"
std::string day_and_time(Instant time) {
  const std::string t = format_rfc3339(time);  // 2026-11-21T19:35:00.000Z
  return t.substr(8, 2) + "/" + t.substr(5, 2) + "/" + t.substr(2, 2) + " " + t.substr(11, 8);
}

// The newest points there are, as many as are evaluated.
struct Looked {
  std::vector<AlarmPoint> real;  // newest first
  std::size_t breaching = 0, missing = 0;
  std::size_t oldest_age = 0;  // of the oldest real one within the range: 1 is the newest period
  bool all_breach = true;      // of all real ones in the range
};

Looked look_at(const AlarmRuleset& rules, const std::vector<AlarmPoint>& points) {
  Looked looked;
  for (std::size_t age = 1; age <= points.size(); ++age) {
    const AlarmPoint& point = points[points.size() - age];
    if (!point.value) continue;
    const bool over = breaches(rules, *point.value);
    looked.oldest_age = age;
    looked.all_breach = looked.all_breach && over;
    if (looked.real.size() == rules.periods) continue;
    looked.real.push_back(point);
    looked.breaching += over;
  }
  looked.missing = rules.periods - looked.real.size();
  return looked;
}

AlarmState state_of_points(const AlarmRuleset& rules, const Looked& looked, AlarmState now) {
  const auto alarm_if = [](bool alarm) { return alarm ? AlarmState::Alarm : AlarmState::Ok; };
  const bool none = looked.real.empty();
  switch (rules.missing) {
    case MissingData::Breaching:
      return alarm_if(looked.breaching + looked.missing >= rules.to_alarm);
    case MissingData::NotBreaching:
      return alarm_if(looked.breaching >= rules.to_alarm);
    case MissingData::Missing:
      if (none) return AlarmState::InsufficientData;
      break;
    case MissingData::Ignore:
      if (none) return now;
      break;
  }
  if (looked.breaching >= rules.to_alarm) return AlarmState::Alarm;
  if (looked.missing == 0 || !looked.all_breach) return AlarmState::Ok;
  // Only breaching ones, but too few to be sure. Where missing data counts as missing, what breached long
  // enough ago and was not contradicted since is enough; otherwise it may be the beginning of either.
  if (rules.missing == MissingData::Missing && looked.oldest_age >= rules.to_alarm) return AlarmState::Alarm;
  return now;
}

std::string points_words(const std::vector<AlarmPoint>& points) {
  std::string out = "[";
  for (const AlarmPoint& point : points)
    out += (out.size() > 1 ? ", " : "") + number_words(*point.value) + " (" + day_and_time(point.time) + ")";
  return out + "]";
}

std::string reason_of(const AlarmRuleset& rules, const Looked& looked, AlarmState state) {
  const std::size_t n = looked.real.size();
  if (n == 0) {
    if (state == AlarmState::InsufficientData)
      return "Insufficient Data: " + counted(rules.periods, "datapoint") +
             (rules.periods == 1 ? " was unknown." : " were unknown.");
    const bool breaching = rules.missing == MissingData::Breaching;
    return "Threshold Crossed: no datapoints were received for " + counted(rules.periods, "period") +
           " and " + counted(rules.periods, "missing datapoint") + (rules.periods == 1 ? " was" : " were") +
           " treated as [" + (breaching ? "Breaching" : "NonBreaching") + "].";
  }
  const bool alarm = state == AlarmState::Alarm;
  std::vector<AlarmPoint> shown;
  for (const AlarmPoint& point : looked.real)
    if (breaches(rules, *point.value) == alarm) shown.push_back(point);
  std::string out = "Threshold Crossed: ";
  if (!shown.empty()) {
    out += std::to_string(shown.size()) + " out of the last " + std::to_string(rules.periods) +
           " datapoints" + " " + points_words(shown) + (shown.size() == 1 ? " was " : " were ") +
           (alarm ? "" : "not ") + std::string(comparison_words(rules.comparison)) + " the threshold (" +
           number_words(rules.threshold) + ")";
  } else {
    out += "no datapoint decided alone";
  }
  if (looked.missing > 0 && rules.missing == MissingData::Breaching && alarm)
    out += " and " + counted(looked.missing, "missing datapoint") + (looked.missing == 1 ? " was" : " were") +
           " treated as [Breaching]";
  const std::size_t needed = alarm ? rules.to_alarm : rules.periods - rules.to_alarm + 1;
  return out + " (minimum " + counted(needed, "datapoint") + " for " +
         (alarm ? "OK -> ALARM" : "ALARM -> OK") + " transition).";
}

}  // namespace

std::optional<Comparison> parse_comparison(std::string_view name) {
  for (const ComparisonName& one : kComparisons)
    if (one.name == name) return one.comparison;
  return std::nullopt;
}

std::optional<MissingData> parse_missing_data(std::string_view name) {
  for (const auto& [known, treatment] : kTreatments)
    if (known == name) return treatment;
  return std::nullopt;
}

bool breaches(const AlarmRuleset& rules, double value) {
  switch (rules.comparison) {
    case Comparison::Greater:
      return value > rules.threshold;
    case Comparison::GreaterOrEqual:
      return value >= rules.threshold;
    case Comparison::Less:
      return value < rules.threshold;
    case Comparison::LessOrEqual:
      return value <= rules.threshold;
  }
  return false;
}

AlarmVerdict evaluate_alarm(const AlarmRuleset& rules, const std::vector<AlarmPoint>& points,
                            AlarmState now) {
  Looked looked = look_at(rules, points);
  AlarmVerdict verdict;
  verdict.state = state_of_points(rules, looked, now);
  verdict.reason = reason_of(rules, looked, verdict.state);
  verdict.evaluated = std::move(looked.real);
  return verdict;
}

}  // namespace millrace::tasks
