#pragma once
// What an alarm makes of its latest data points: the state that follows, and the words for it. Pure. Source:
// Amazon CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data" with its tables.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "tasks/metrics/alarms.h"

namespace millrace::tasks {

enum class Comparison { Greater, GreaterOrEqual, Less, LessOrEqual };
// "GreaterThanThreshold", …; nothing: no such operator.
std::optional<Comparison> parse_comparison(std::string_view name);
enum class MissingData { Missing, Ignore, Breaching, NotBreaching };
std::optional<MissingData> parse_missing_data(std::string_view name);  // "notBreaching"

struct AlarmRuleset {
  Comparison comparison = Comparison::Greater;
  double threshold = 0;
  std::size_t periods = 1;   // EvaluationPeriods
  std::size_t to_alarm = 1;  // DatapointsToAlarm
  MissingData missing = MissingData::Missing;
};

// So many periods are looked at: where data is missing an older point may take its place.
constexpr std::size_t kOlderPeriods = 2;
inline std::size_t evaluation_range(const AlarmRuleset& rules) {
  return rules.periods + kOlderPeriods;
}

struct AlarmPoint {
  Instant time;  // when its period begins
  std::optional<double> value;
  double samples = 0;
};
struct AlarmVerdict {
  AlarmState state = AlarmState::InsufficientData;
  std::string reason;
  std::vector<AlarmPoint> evaluated;  // newest first
};
// `points`: the evaluation range, oldest first. `now`: the state before.
AlarmVerdict evaluate_alarm(const AlarmRuleset& rules, const std::vector<AlarmPoint>& points, AlarmState now);

bool breaches(const AlarmRuleset& rules, double value);

}  // namespace millrace::tasks
