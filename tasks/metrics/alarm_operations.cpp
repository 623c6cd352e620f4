// What changes alarms, and their tags.

#include "tasks/metrics/operations.h"

namespace millrace::tasks::cloudwatch {
namespace {

constexpr std::size_t kNamesMax = 100;  // of one request

ServiceAnswer alarm_answered(const Status& done) {
  if (!done) return refused(done.error());
  return Payload::empty_object();
}

Checked<std::vector<std::string>> alarm_names_in(JsonView input) {
  if (!member(input, "AlarmNames")) return missing_parameter("AlarmNames");
  return texts_in(input, "AlarmNames", kNamesMax);
}

ServiceAnswer set_actions(MetricSession& session, JsonView input, bool enabled) {
  MR_TRY(names, alarm_names_in(input));
  for (const std::string& name : names)
    if (const Status done = session.alarms.enable_actions(name, enabled, session.now); !done)
      return refused(done.error());
  return Payload::empty_object();
}

// The alarm an ARN names.
Checked<const Alarm*> alarm_in(const MetricSession& session, JsonView input) {
  MR_TRY(arn, required_text(input, "ResourceARN", 1600));
  constexpr std::string_view kAlarm = ":alarm:";
  const std::size_t at = arn.find(kAlarm);
  if (!arn.starts_with("arn:aws:cloudwatch:") || at == std::string::npos)
    return invalid_value("The ARN " + arn + " is no ARN of an alarm.");
  const Alarm* alarm = session.alarms.find(arn.substr(at + kAlarm.size()));
  if (!alarm || alarm->arn != arn)
    return service_error("ResourceNotFoundException", "There is no resource " + arn + ".", 404);
  return alarm;
}

}  // namespace

ServiceAnswer put_metric_alarm(MetricSession& session, JsonView input) {
  MR_TRY(alarm, read_metric_alarm(input, session.place));
  if (const Alarm* old = session.alarms.find(alarm.name); old && old->composite())
    return validation("The alarm " + alarm.name + " is a composite alarm; it can't become a metric alarm.");
  return alarm_answered(session.alarms.put(std::move(alarm), session.now));
}

ServiceAnswer put_composite_alarm(MetricSession& session, JsonView input) {
  MR_TRY(alarm, read_composite_alarm(input, session.place));
  if (const Alarm* old = session.alarms.find(alarm.name); old && !old->composite())
    return validation("The alarm " + alarm.name + " is a metric alarm; it can't become a composite alarm.");
  return alarm_answered(session.alarms.put(std::move(alarm), session.now));
}

ServiceAnswer delete_alarms(MetricSession& session, JsonView input) {
  MR_TRY(names, alarm_names_in(input));
  for (const std::string& name : names)
    if (!session.alarms.find(name))
      return service_error("ResourceNotFound", "Alarm with name '" + name + "' not found.", 404);
  for (const std::string& name : names)
    if (const Status done = session.alarms.erase(name, session.now); !done) return refused(done.error());
  return Payload::empty_object();
}

ServiceAnswer set_alarm_state(MetricSession& session, JsonView input) {
  MR_TRY(name, required_text(input, "AlarmName", kAlarmNameMax));
  MR_TRY(value, required_text(input, "StateValue"));
  MR_TRY(reason, required_text(input, "StateReason", 1023));
  MR_TRY(data, text_in(input, "StateReasonData", 4000));
  const auto state = parse_alarm_state(value);
  if (!state)
    return validation("1 validation error detected: Value '" + value +
                      "' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: "
                      "[INSUFFICIENT_DATA, ALARM, OK]");
  if (!data.empty() && !Payload::parse(data))
    return service_error("InvalidFormatFault", "StateReasonData is not valid JSON.");
  if (!session.alarms.find(name))
    return service_error("ResourceNotFound", "Alarm with name '" + name + "' not found.", 404);
  return alarm_answered(
      session.alarms.set_state(name, *state, std::move(reason), std::move(data), session.now));
}

ServiceAnswer enable_alarm_actions(MetricSession& session, JsonView input) {
  return set_actions(session, input, true);
}
ServiceAnswer disable_alarm_actions(MetricSession& session, JsonView input) {
  return set_actions(session, input, false);
}

ServiceAnswer tag_resource(MetricSession& session, JsonView input) {
  MR_TRY(alarm, alarm_in(session, input));
  if (!member(input, "Tags")) return missing_parameter("Tags");
  MR_TRY(tags, merged_tags(alarm->tags.view(), member(input, "Tags")));
  return alarm_answered(session.alarms.set_tags(alarm->name, std::move(tags)));
}

ServiceAnswer untag_resource(MetricSession& session, JsonView input) {
  MR_TRY(alarm, alarm_in(session, input));
  if (!member(input, "TagKeys")) return missing_parameter("TagKeys");
  MR_TRY(keys, texts_in(input, "TagKeys", kAlarmTagsMax));
  const std::set<std::string> gone(keys.begin(), keys.end());
  JsonWriter out;
  out.begin_array();
  for (const JsonView tag : alarm->tags.view().elements())
    if (gone.count(tag.find("Key").string()) == 0) out.value(tag);
  out.end_array();
  return alarm_answered(session.alarms.set_tags(alarm->name, out.finish()));
}

ServiceAnswer list_tags_for_resource(MetricSession& session, JsonView input) {
  MR_TRY(alarm, alarm_in(session, input));
  JsonWriter out;
  return out.begin_object().key("Tags").value(alarm->tags).end_object().finish();
}

}  // namespace millrace::tasks::cloudwatch
