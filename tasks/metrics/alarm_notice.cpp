#include "tasks/metrics/alarm_notice.h"

#include <algorithm>
#include <cctype>

#include "base/random.h"

namespace millrace::tasks {
namespace {

using cloudwatch::member;

std::string region_of(const Alarm& alarm) {
  // arn:aws:cloudwatch:REGION:…
  constexpr std::size_t kPrefix = 19;
  return alarm.arn.substr(kPrefix, alarm.arn.find(':', kPrefix) - kPrefix);
}

std::string in_capitals(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

void write_state(JsonWriter& out, const Alarm& alarm) {
  out.begin_object().key("value").string(name_of(alarm.state)).key("reason").string(alarm.reason);
  if (!alarm.reason_data.empty()) out.key("reasonData").string(alarm.reason_data);
  out.key("timestamp").string(notice_time(alarm.updated)).end_object();
}

void write_dimensions(JsonWriter& out, const MetricDimensions& dimensions) {
  out.begin_object();
  for (const auto& [name, value] : dimensions) out.key(name).string(value);
  out.end_object();
}

void write_configuration(JsonWriter& out, const Alarm& alarm) {
  out.begin_object();
  if (const JsonView description = member(alarm.settings.view(), "AlarmDescription"))
    out.key("description").value(description);
  if (alarm.composite()) {
    out.key("alarmRule").value(member(alarm.settings.view(), "AlarmRule"));
    for (const std::string_view list : {"OKActions", "AlarmActions", "InsufficientDataActions"})
      if (const JsonView actions = member(alarm.settings.view(), list))
        out.key(list == "OKActions"      ? "okActions"
                : list == "AlarmActions" ? "alarmActions"
                                         : "insufficientDataActions")
            .value(actions);
    out.end_object();
    return;
  }
  out.key("metrics").begin_array();
  for (const MetricQuery& query : alarm.queries) {
    out.begin_object().key("id").string(query.id);
    if (query.stat) {
      const MetricStat& stat = *query.stat;
      out.key("metricStat").begin_object().key("metric").begin_object();
      out.key("namespace")
          .string(stat.metric.name_space)
          .key("name")
          .string(stat.metric.name)
          .key("dimensions");
      write_dimensions(out, stat.metric.dimensions);
      out.end_object().key("period").number(stat.period.count() / 1000).key("stat").string(stat.name);
      out.end_object();
    } else {
      out.key("expression").string(query.expression);
    }
    if (!query.label.empty()) out.key("label").string(query.label);
    out.key("returnData").boolean(query.return_data).end_object();
  }
  out.end_array().end_object();
}

// Of the bus; its id is made of its name by whoever puts it.
Payload change_event(const Alarm& before, const Alarm& after, const ServicePlace& place) {
  JsonWriter out;
  out.begin_object().key("version").string("0");
  out.key("detail-type").string("CloudWatch Alarm State Change").key("source").string("aws.cloudwatch");
  out.key("account").string(place.account);
  out.key("time")
      .string(format_rfc3339(after.updated).substr(0, 19) + "Z")
      .key("region")
      .string(place.region);
  out.key("resources").begin_array().string(after.arn).end_array();
  out.key("detail").begin_object().key("alarmName").string(after.name).key("state");
  write_state(out, after);
  out.key("previousState");
  write_state(out, before);
  out.key("configuration");
  write_configuration(out, after);
  return out.end_object().end_object().finish();
}

Payload function_input(const Alarm& before, const Alarm& after, const ServicePlace& place) {
  JsonWriter out;
  out.begin_object().key("source").string("aws.cloudwatch").key("alarmArn").string(after.arn);
  out.key("accountId").string(place.account).key("time").string(notice_time(after.updated));
  out.key("region").string(place.region).key("alarmData").begin_object();
  out.key("alarmName").string(after.name).key("state");
  write_state(out, after);
  out.key("previousState");
  write_state(out, before);
  out.key("configuration");
  write_configuration(out, after);
  return out.end_object().end_object().finish();
}

void write_trigger(JsonWriter& out, const Alarm& alarm) {
  const JsonView settings = alarm.settings.view();
  out.begin_object();
  if (alarm.queries.size() == 1 && alarm.queries[0].stat) {
    const MetricStat& stat = *alarm.queries[0].stat;
    const bool extended = stat.statistic.kind == Statistic::Kind::Percentile;
    out.key("MetricName").string(stat.metric.name).key("Namespace").string(stat.metric.name_space);
    out.key("StatisticType").string(extended ? "ExtendedStatistic" : "Statistic");
    out.key(extended ? "ExtendedStatistic" : "Statistic")
        .string(extended ? stat.name : in_capitals(stat.name));
    out.key("Unit");
    if (stat.unit >= 0)
      out.string(unit_name(stat.unit));
    else
      out.null();
    out.key("Dimensions").begin_array();
    for (const auto& [name, value] : stat.metric.dimensions)
      out.begin_object().key("value").string(value).key("name").string(name).end_object();
    out.end_array();
  } else if (const JsonView metrics = member(settings, "Metrics")) {
    out.key("Metrics").value(metrics);
  }
  out.key("Period").number(alarm.period.count() / 1000);
  for (const std::string_view name :
       {"EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "Threshold"})
    if (const JsonView value = member(settings, name)) out.key(name).value(value);
  const JsonView missing = member(settings, "TreatMissingData");
  out.key("TreatMissingData").string(missing ? missing.string() : "missing");
  const JsonView low = member(settings, "EvaluateLowSampleCountPercentile");
  out.key("EvaluateLowSampleCountPercentile").string(low ? low.string() : "").end_object();
}

Payload topic_message(const Alarm& before, const Alarm& after, const ServicePlace& place) {
  const JsonView settings = after.settings.view();
  JsonWriter out;
  out.begin_object().key("AlarmName").string(after.name).key("AlarmDescription");
  if (const JsonView description = member(settings, "AlarmDescription"))
    out.value(description);
  else
    out.null();
  if (const JsonView rule = member(settings, "AlarmRule")) out.key("AlarmRule").value(rule);
  out.key("AWSAccountId").string(place.account);
  out.key("AlarmConfigurationUpdatedTimestamp").string(notice_time(after.configured));
  out.key("NewStateValue").string(name_of(after.state)).key("NewStateReason").string(after.reason);
  out.key("StateChangeTime").string(notice_time(after.updated)).key("Region").string(region_of(after));
  out.key("AlarmArn").string(after.arn).key("OldStateValue").string(name_of(before.state));
  for (const std::string_view list : {"OKActions", "AlarmActions", "InsufficientDataActions"}) {
    out.key(list);
    if (const JsonView actions = member(settings, list))
      out.value(actions);
    else
      out.begin_array().end_array();
  }
  if (!after.composite()) {
    out.key("Trigger");
    write_trigger(out, after);
  }
  return out.end_object().finish();
}

// A subject of SNS: printable ASCII, at most 100 characters.
std::string notice_subject(const Alarm& alarm) {
  std::string subject = std::string(name_of(alarm.state)) + ": \"" + alarm.name + "\" in " + region_of(alarm);
  for (char& c : subject)
    if (c < ' ' || c > '~') c = '?';
  return subject.size() > 100 ? subject.substr(0, 97) + "..." : subject;
}

void write_history_state(JsonWriter& out, const Alarm& alarm) {
  out.begin_object().key("stateValue").string(name_of(alarm.state)).key("stateReason").string(alarm.reason);
  const auto data =
      alarm.reason_data.empty() ? Result<Payload>(Payload()) : Payload::parse(alarm.reason_data);
  if (data && data->view().is_object()) out.key("stateReasonData").value(*data);
  out.end_object();
}

}  // namespace

std::string notice_time(Instant time) {
  return format_rfc3339(time).substr(0, 23) + "+0000";
}

AlarmChange make_change(const Alarm& before, const Alarm& after, const ServicePlace& place) {
  AlarmChange change;
  change.alarm = after.name;
  change.time = after.updated;
  change.to = after.state;
  change.event = change_event(before, after, place);
  for (const std::string& arn : actions_of(after, after.state)) {
    AlarmChange::Action action{arn, std::string(change.event.text()), ""};
    if (arn.starts_with("arn:aws:sns:")) {
      action.input = topic_message(before, after, place).text();
      action.subject = notice_subject(after);
    } else if (arn.starts_with("arn:aws:lambda:")) {
      action.input = function_input(before, after, place).text();
    }
    change.actions.push_back(std::move(action));
  }
  return change;
}

Payload change_record(const AlarmChange& change) {
  JsonWriter out;
  out.begin_object().key("Alarm").string(change.alarm).key("Time").number(to_millis(change.time));
  out.key("To").string(name_of(change.to)).key("Event").value(change.event).key("Actions").begin_array();
  for (const AlarmChange::Action& action : change.actions)
    out.begin_object()
        .key("Arn")
        .string(action.arn)
        .key("Input")
        .string(action.input)
        .key("Subject")
        .string(action.subject)
        .end_object();
  return out.end_array().end_object().finish();
}

Result<AlarmChange> read_change_record(std::int64_t number, std::string_view text) {
  MR_TRY(record, Payload::parse(text));
  const JsonView view = record.view();
  const auto part = [](JsonView object, std::string_view name) {
    const JsonView found = member(object, name);
    return found && found.is_string() ? found.string() : std::string();
  };
  AlarmChange change;
  change.number = number;
  change.alarm = part(view, "Alarm");
  const JsonView time = member(view, "Time");
  change.time = from_millis(time && time.is_number() ? time.integer().value_or(0) : 0);
  change.to = parse_alarm_state(part(view, "To")).value_or(AlarmState::Ok);
  if (const JsonView event = member(view, "Event")) change.event = Payload::of(event);
  if (const JsonView actions = member(view, "Actions"); actions && actions.is_array())
    for (const JsonView one : actions.elements())
      change.actions.push_back({part(one, "Arn"), part(one, "Input"), part(one, "Subject")});
  return change;
}

std::string history_of_change(const Alarm& before, const Alarm& after) {
  JsonWriter out;
  out.begin_object().key("version").string("1.0").key("oldState");
  write_history_state(out, before);
  out.key("newState");
  write_history_state(out, after);
  std::string text(out.end_object().finish().text());
  return text;
}

}  // namespace millrace::tasks
