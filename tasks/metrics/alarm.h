#pragma once
// One alarm: what was asked for, read and checked, and how it stands. Values. Source: Amazon CloudWatch API
// reference, PutMetricAlarm, PutCompositeAlarm, MetricAlarm.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tasks/integrations/service_call.h"
#include "tasks/metrics/alarm_evaluation.h"
#include "tasks/metrics/alarm_rule.h"
#include "tasks/metrics/metric_query.h"

namespace millrace::tasks {

struct Alarm {
  std::string name, arn;
  Payload settings = Payload::empty_object();  // members as they were given, and are shown
  Payload tags = Payload::literal("[]");

  // Of a metric alarm.
  AlarmRuleset rules;
  std::vector<MetricQuery> queries;
  std::string result;  // the id of the query that is compared
  Millis period{60'000};
  std::optional<double> samples_min;  // fewer than that are no reason to change (low sample counts ignored)
  // Of a composite one.
  std::optional<AlarmRule> rule;

  bool actions_enabled = true;
  AlarmState state = AlarmState::InsufficientData;
  std::string reason = "Unchecked: Initial alarm creation", reason_data;
  Instant configured, updated, transitioned;

  bool composite() const { return rule.has_value(); }
  std::string_view type() const { return composite() ? "CompositeAlarm" : "MetricAlarm"; }
};

constexpr std::size_t kAlarmNameMax = 255, kAlarmActionsMax = 5, kAlarmTagsMax = 50;

// ValidationError and the like: what CloudWatch would refuse, or what is not here. State and times are those
// of a new alarm.
Checked<Alarm> read_metric_alarm(JsonView input, const ServicePlace& place);
Checked<Alarm> read_composite_alarm(JsonView input, const ServicePlace& place);
// Tags by their keys, as a list; InvalidParameterValueException: too many, or without a key.
Checked<Payload> merged_tags(JsonView before, JsonView added);

// As DescribeAlarms shows it.
void write_alarm(JsonWriter& out, const Alarm& alarm);
// As it is kept, and read again.
std::string alarm_record(const Alarm& alarm);
Result<Alarm> read_alarm_record(std::string_view text, const ServicePlace& place);

// The ARNs to be told of a state. Empty when its actions are disabled.
std::vector<std::string> actions_of(const Alarm& alarm, AlarmState state);
std::optional<AlarmState> parse_alarm_state(std::string_view name);

}  // namespace millrace::tasks
