#include "tasks/metrics/alarm.h"

#include <algorithm>
#include <map>

namespace millrace::tasks {
namespace {

using namespace cloudwatch;

constexpr std::string_view kCommonMembers[] = {"AlarmDescription", "ActionsEnabled", "OKActions",
                                               "AlarmActions", "InsufficientDataActions"};
constexpr std::string_view kMetricMembers[] = {"MetricName",
                                               "Namespace",
                                               "Statistic",
                                               "ExtendedStatistic",
                                               "Dimensions",
                                               "Period",
                                               "Unit",
                                               "EvaluationPeriods",
                                               "DatapointsToAlarm",
                                               "Threshold",
                                               "ComparisonOperator",
                                               "TreatMissingData",
                                               "EvaluateLowSampleCountPercentile",
                                               "Metrics"};
constexpr std::string_view kCompositeMembers[] = {"AlarmRule"};
// CloudWatch's, and not here.
constexpr std::string_view kUnservedMembers[] = {
    "ThresholdMetricId", "EvaluationCriteria",          "EvaluationInterval",
    "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"};
constexpr std::string_view kActionLists[] = {"OKActions", "AlarmActions", "InsufficientDataActions"};
constexpr std::string_view kActionServices[] = {
    "arn:aws:sns:", "arn:aws:lambda:", "arn:aws:states:", "arn:aws:sqs:"};

std::string_view actions_member(AlarmState state) {
  if (state == AlarmState::Ok) return "OKActions";
  return state == AlarmState::Alarm ? "AlarmActions" : "InsufficientDataActions";
}

Checked<bool> check_actions(JsonView input) {
  for (const std::string_view list : kActionLists) {
    MR_TRY(actions, texts_in(input, list, kAlarmActionsMax));
    for (const std::string& arn : actions) {
      const bool served = std::any_of(std::begin(kActionServices), std::end(kActionServices),
                                      [&](std::string_view prefix) { return arn.starts_with(prefix); });
      if (!served)
        return validation("Invalid action " + arn + " in " + std::string(list) +
                          ": here actions are ARNs of SNS topics, functions, state machines and queues.");
    }
  }
  return true;
}

template <std::size_t N>
void copy_settings(JsonWriter& out, JsonView input, const std::string_view (&members)[N]) {
  for (const std::string_view name : members)
    if (const JsonView value = member(input, name)) out.key(name).value(value);
}

// What both kinds have.
Checked<Alarm> read_alarm_common(JsonView input, const ServicePlace& place) {
  for (const std::string_view name : kUnservedMembers)
    if (member(input, name)) return validation("The parameter " + std::string(name) + " is not served here.");
  Alarm alarm;
  MR_TRY(name, required_text(input, "AlarmName", kAlarmNameMax));
  MR_TRY(description, text_in(input, "AlarmDescription", 1024));
  MR_TRY(enabled, flag_in(input, "ActionsEnabled", true));
  MR_DO(check_actions(input));
  MR_TRY(tags, merged_tags(JsonView(), member(input, "Tags")));
  alarm.name = std::move(name);
  alarm.arn = "arn:aws:cloudwatch:" + place.region + ":" + place.account + ":alarm:" + alarm.name;
  alarm.actions_enabled = enabled;
  alarm.tags = std::move(tags);
  return alarm;
}

Checked<AlarmRuleset> read_ruleset(JsonView input) {
  AlarmRuleset rules;
  MR_TRY(comparison, required_text(input, "ComparisonOperator"));
  MR_TRY(threshold, number_in(input, "Threshold"));
  MR_TRY(periods, whole_in(input, "EvaluationPeriods", 1, 86'400));
  MR_TRY(to_alarm, whole_in(input, "DatapointsToAlarm", 1, 86'400));
  MR_TRY(missing, text_in(input, "TreatMissingData"));
  const auto parsed = parse_comparison(comparison);
  if (!parsed)
    return validation("The ComparisonOperator " + comparison +
                      " is not served here; there are GreaterThanOrEqualToThreshold, GreaterThanThreshold, "
                      "LessThanThreshold and LessThanOrEqualToThreshold.");
  if (!threshold) return missing_parameter("Threshold");
  if (!is_metric_value(*threshold)) return validation("The Threshold is no number that a metric may have.");
  if (!periods) return missing_parameter("EvaluationPeriods");
  if (to_alarm && *to_alarm > *periods)
    return validation("EvaluationPeriods must be greater than or equal to DatapointsToAlarm");
  const auto treatment = parse_missing_data(missing.empty() ? "missing" : missing);
  if (!treatment)
    return validation(
        "The value " + missing +
        " for parameter TreatMissingData is not one of breaching, notBreaching, ignore, missing.");
  rules.comparison = *parsed;
  rules.threshold = *threshold;
  rules.periods = static_cast<std::size_t>(*periods);
  rules.to_alarm = static_cast<std::size_t>(to_alarm.value_or(*periods));
  rules.missing = *treatment;
  return rules;
}

// So many values make a percentile worth looking at. Source: CloudWatch user guide, "Percentile-based alarms
// and low data samples".
double samples_for(const Statistic& statistic) {
  const double p = statistic.percent / 100;
  if (p >= 0.5) return p < 1 ? 10 / (1 - p) : 0;
  return p > 0 ? 10 / p : 0;
}

Checked<bool> read_one_metric(JsonView input, Alarm& alarm) {
  MR_TRY(metric, metric_in(input));
  MR_TRY(plain, text_in(input, "Statistic"));
  MR_TRY(extended, text_in(input, "ExtendedStatistic"));
  if (plain.empty() == extended.empty())
    return validation("Exactly one of Statistic and ExtendedStatistic must be specified for the metric.");
  MR_TRY(statistic, statistic_named(plain.empty() ? extended : plain));
  const bool percentile = statistic.kind == Statistic::Kind::Percentile;
  if (percentile == extended.empty())
    return validation("The value " + plain + extended + " belongs into " +
                      (percentile ? "ExtendedStatistic." : "Statistic."));
  MR_TRY(period, period_in(input, "Period"));
  MR_TRY(unit, unit_in(input, -1));
  MR_TRY(low, text_in(input, "EvaluateLowSampleCountPercentile"));
  if (!low.empty() && low != "evaluate" && low != "ignore")
    return validation("EvaluateLowSampleCountPercentile is evaluate or ignore, not " + low + ".");
  if (low == "ignore" && percentile) alarm.samples_min = samples_for(statistic);
  MetricQuery query;
  query.id = alarm.result = "m1";
  query.period = alarm.period = period;
  query.stat = MetricStat{std::move(metric), period, plain.empty() ? extended : plain, statistic, unit};
  alarm.queries.push_back(std::move(query));
  return true;
}

Checked<bool> read_expressions(JsonView input, Alarm& alarm) {
  for (const char* name :
       {"MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"})
    if (const JsonView found = member(input, name); found && !(found.is_array() && found.size() == 0))
      return validation("Metrics list must not be specified together with " + std::string(name) + ".");
  MR_TRY(queries, queries_in(input, "Metrics"));
  std::size_t returned = 0;
  for (const MetricQuery& query : queries) {
    if (!query.return_data) continue;
    ++returned;
    alarm.result = query.id;
    alarm.period = query.period;
  }
  if (returned != 1)
    return validation("Exactly one element of the metrics list should return data, " +
                      std::to_string(returned) + " do.");
  alarm.queries = std::move(queries);
  return true;
}

}  // namespace

Checked<Payload> merged_tags(JsonView before, JsonView added) {
  std::map<std::string, std::string> tags;
  for (const JsonView list : {before, added}) {
    if (!list) continue;
    if (!list.is_array()) return validation("Tags must be a list.");
    for (const JsonView one : list.elements()) {
      MR_TRY(key, required_text(one, "Key", 128));
      MR_TRY(value, text_in(one, "Value", 256));
      tags[key] = value;
    }
  }
  if (tags.size() > kAlarmTagsMax)
    return invalid_value("A resource has at most " + std::to_string(kAlarmTagsMax) + " tags.");
  JsonWriter out;
  out.begin_array();
  for (const auto& [key, value] : tags)
    out.begin_object().key("Key").string(key).key("Value").string(value).end_object();
  out.end_array();
  return out.finish();
}

Checked<Alarm> read_metric_alarm(JsonView input, const ServicePlace& place) {
  MR_TRY(alarm, read_alarm_common(input, place));
  MR_TRY(rules, read_ruleset(input));
  alarm.rules = rules;
  if (member(input, "Metrics"))
    MR_DO(read_expressions(input, alarm));
  else
    MR_DO(read_one_metric(input, alarm));
  const std::int64_t seconds = alarm.period.count() / 1000;
  const std::int64_t longest = seconds >= 3600 ? 604'800 : 86'400;
  if (static_cast<std::int64_t>(rules.periods) * seconds > longest)
    return validation("Metrics cannot be checked across more than " +
                      std::string(seconds >= 3600 ? "seven days" : "a day") +
                      " (EvaluationPeriods * Period must be <= " + std::to_string(longest) + ").");
  JsonWriter out;
  out.begin_object();
  copy_settings(out, input, kCommonMembers);
  copy_settings(out, input, kMetricMembers);
  out.end_object();
  alarm.settings = out.finish();
  return alarm;
}

Checked<Alarm> read_composite_alarm(JsonView input, const ServicePlace& place) {
  MR_TRY(alarm, read_alarm_common(input, place));
  MR_TRY(text, required_text(input, "AlarmRule", AlarmRule::kTextMax));
  auto rule = AlarmRule::parse(text);
  if (!rule) return refused(rule.error());
  alarm.rule = *std::move(rule);
  JsonWriter out;
  out.begin_object();
  copy_settings(out, input, kCommonMembers);
  copy_settings(out, input, kCompositeMembers);
  out.end_object();
  alarm.settings = out.finish();
  return alarm;
}

void write_alarm(JsonWriter& out, const Alarm& alarm) {
  const JsonView settings = alarm.settings.view();
  out.begin_object().key("AlarmName").string(alarm.name).key("AlarmArn").string(alarm.arn);
  if (const JsonView description = member(settings, "AlarmDescription"))
    out.key("AlarmDescription").value(description);
  out.key("AlarmConfigurationUpdatedTimestamp").number(epoch_seconds(alarm.configured));
  out.key("ActionsEnabled").boolean(alarm.actions_enabled);
  for (const std::string_view list : kActionLists) {
    out.key(list);
    if (const JsonView given = member(settings, list))
      out.value(given);
    else
      out.begin_array().end_array();
  }
  out.key("StateValue").string(name_of(alarm.state)).key("StateReason").string(alarm.reason);
  if (!alarm.reason_data.empty()) out.key("StateReasonData").string(alarm.reason_data);
  out.key("StateUpdatedTimestamp").number(epoch_seconds(alarm.updated));
  out.key("StateTransitionedTimestamp").number(epoch_seconds(alarm.transitioned));
  for (const std::string_view name : kMetricMembers)
    if (const JsonView value = member(settings, name)) out.key(name).value(value);
  if (!alarm.composite() && !member(settings, "Dimensions") && !member(settings, "Metrics"))
    out.key("Dimensions").begin_array().end_array();
  if (const JsonView rule = member(settings, "AlarmRule")) out.key("AlarmRule").value(rule);
  out.end_object();
}

std::string alarm_record(const Alarm& alarm) {
  JsonWriter out;
  out.begin_object().key("Name").string(alarm.name).key("Settings").value(alarm.settings);
  out.key("Tags").value(alarm.tags).key("ActionsEnabled").boolean(alarm.actions_enabled);
  out.key("State").string(name_of(alarm.state)).key("Reason").string(alarm.reason);
  out.key("ReasonData").string(alarm.reason_data).key("Configured").number(to_millis(alarm.configured));
  out.key("Updated")
      .number(to_millis(alarm.updated))
      .key("Transitioned")
      .number(to_millis(alarm.transitioned));
  out.end_object();
  return std::string(out.finish().text());
}

Result<Alarm> read_alarm_record(std::string_view text, const ServicePlace& place) {
  MR_TRY(record, Payload::parse(text));
  const JsonView view = record.view();
  const auto part = [&](std::string_view name) {
    const JsonView found = member(view, name);
    return found && found.is_string() ? found.string() : std::string();
  };
  const auto time = [&](std::string_view name) {
    const JsonView found = member(view, name);
    return from_millis(found && found.is_number() ? found.integer().value_or(0) : 0);
  };
  const JsonView settings = member(view, "Settings");
  if (!settings) return fail(ErrorCode::DataLoss, "metrics.db: an alarm's record has no settings");
  JsonWriter input;  // as it was asked for
  input.begin_object().key("AlarmName").string(part("Name"));
  for (const auto [key, value] : settings.members()) input.key(key).value(value);
  if (const JsonView tags = member(view, "Tags")) input.key("Tags").value(tags);
  const Payload asked = input.end_object().finish();
  auto alarm = member(settings, "AlarmRule") ? read_composite_alarm(asked.view(), place)
                                             : read_metric_alarm(asked.view(), place);
  if (!alarm)
    return fail(ErrorCode::DataLoss, "metrics.db: the alarm " + part("Name") + ": " + alarm.error().message);
  if (const JsonView enabled = member(view, "ActionsEnabled")) alarm->actions_enabled = enabled.boolean();
  alarm->state = parse_alarm_state(part("State")).value_or(AlarmState::InsufficientData);
  alarm->reason = part("Reason");
  alarm->reason_data = part("ReasonData");
  alarm->configured = time("Configured");
  alarm->updated = time("Updated");
  alarm->transitioned = time("Transitioned");
  return *std::move(alarm);
}

std::vector<std::string> actions_of(const Alarm& alarm, AlarmState state) {
  if (!alarm.actions_enabled) return {};
  auto actions = texts_in(alarm.settings.view(), actions_member(state), kAlarmActionsMax);
  return actions ? *std::move(actions) : std::vector<std::string>();
}

std::optional<AlarmState> parse_alarm_state(std::string_view name) {
  for (const AlarmState state : {AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData})
    if (name_of(state) == name) return state;
  return std::nullopt;
}

}  // namespace millrace::tasks
