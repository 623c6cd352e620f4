// What shows alarms, and what became of them.

#include <algorithm>
#include <charconv>

#include "tasks/metrics/operations.h"

namespace millrace::tasks::cloudwatch {
namespace {

// "MetricAlarm", "CompositeAlarm"; `otherwise` when none is named.
Checked<std::set<std::string>> types_in(JsonView input, std::set<std::string> otherwise) {
  MR_TRY(names, texts_in(input, "AlarmTypes", 10));
  if (names.empty()) return otherwise;
  std::set<std::string> types;
  for (const std::string& name : names) {
    if (name != "MetricAlarm" && name != "CompositeAlarm")
      return validation("The value " + name +
                        " for parameter AlarmTypes is not MetricAlarm or CompositeAlarm.");
    types.insert(name);
  }
  return types;
}

struct AlarmFilter {
  std::set<std::string> names, types;
  std::string prefix, action_prefix, children_of, parents_of;
  std::optional<AlarmState> state;
};

bool asks_for_child(const Alarm* alarm, const std::string& child) {
  if (!alarm || !alarm->rule) return false;
  const auto& children = alarm->rule->alarms();
  return std::find(children.begin(), children.end(), child) != children.end();
}

bool alarm_passes(const AlarmFilter& filter, const Alarm& alarm, const AlarmBook& book) {
  if (!filter.names.empty() && filter.names.count(alarm.name) == 0) return false;
  if (!alarm.name.starts_with(filter.prefix) || filter.types.count(std::string(alarm.type())) == 0)
    return false;
  if (filter.state && *filter.state != alarm.state) return false;
  if (!filter.children_of.empty() && !asks_for_child(book.find(filter.children_of), alarm.name)) return false;
  if (!filter.parents_of.empty() && !asks_for_child(&alarm, filter.parents_of)) return false;
  if (filter.action_prefix.empty()) return true;
  for (const std::string_view list : {"OKActions", "AlarmActions", "InsufficientDataActions"})
    if (const JsonView actions = member(alarm.settings.view(), list))
      for (const JsonView arn : actions.elements())
        if (arn.is_string() && arn.string().starts_with(filter.action_prefix)) return true;
  return false;
}

Checked<AlarmFilter> filter_in(JsonView input) {
  AlarmFilter filter;
  MR_TRY(names, texts_in(input, "AlarmNames", 100));
  MR_TRY(prefix, text_in(input, "AlarmNamePrefix", kAlarmNameMax));
  MR_TRY(actions, text_in(input, "ActionPrefix"));
  MR_TRY(children, text_in(input, "ChildrenOfAlarmName", 1600));
  MR_TRY(parents, text_in(input, "ParentsOfAlarmName", 1600));
  MR_TRY(state, text_in(input, "StateValue"));
  const bool family = !children.empty() || !parents.empty();
  std::set<std::string> usual = {"MetricAlarm"};
  if (family) usual.insert("CompositeAlarm");
  MR_TRY(types, types_in(input, std::move(usual)));
  if (!names.empty() && !prefix.empty())
    return validation("AlarmNamePrefix and AlarmNames can't be specified together.");
  if (!state.empty()) {
    filter.state = parse_alarm_state(state);
    if (!filter.state) return validation("The value " + state + " for parameter StateValue is invalid.");
  }
  filter.names = {names.begin(), names.end()};
  filter.types = std::move(types);
  filter.prefix = std::move(prefix);
  filter.action_prefix = std::move(actions);
  filter.children_of = std::move(children);
  filter.parents_of = std::move(parents);
  return filter;
}

}  // namespace

ServiceAnswer describe_alarms(MetricSession& session, JsonView input) {
  MR_TRY(filter, filter_in(input));
  MR_TRY(limit, whole_in(input, "MaxRecords", 1, 100));
  MR_TRY(place, place_of_token(input));
  const AlarmBook::Alarms& all = session.alarms.alarms();
  auto at = place.empty() ? all.lower_bound(filter.prefix) : all.upper_bound(place);
  std::vector<const Alarm*> found;
  const std::size_t most = static_cast<std::size_t>(limit.value_or(filter.names.empty() ? 50 : 100));
  bool more = false;
  for (; at != all.end() && !more; ++at) {
    if (!at->second.name.starts_with(filter.prefix)) break;
    if (!alarm_passes(filter, at->second, session.alarms)) continue;
    if (found.size() == most)
      more = true;
    else
      found.push_back(&at->second);
  }
  JsonWriter out;
  out.begin_object();
  for (const bool composite : {true, false}) {
    out.key(composite ? "CompositeAlarms" : "MetricAlarms").begin_array();
    for (const Alarm* alarm : found)
      if (alarm->composite() == composite) write_alarm(out, *alarm);
    out.end_array();
  }
  if (more) out.key("NextToken").string(page_token(found.back()->name));
  return out.end_object().finish();
}

ServiceAnswer describe_alarms_for_metric(MetricSession& session, JsonView input) {
  MR_TRY(id, metric_in(input));
  MR_TRY(plain, text_in(input, "Statistic"));
  MR_TRY(extended, text_in(input, "ExtendedStatistic"));
  MR_TRY(period, whole_in(input, "Period", 1, 86'400 * 365));
  MR_TRY(unit, unit_in(input, -1));
  const std::string statistic = plain.empty() ? extended : plain;
  JsonWriter out;
  out.begin_object().key("MetricAlarms").begin_array();
  for (const auto& [name, alarm] : session.alarms.alarms()) {
    const bool watches =
        std::any_of(alarm.queries.begin(), alarm.queries.end(), [&](const MetricQuery& query) {
          return query.stat && query.stat->metric == id &&
                 (statistic.empty() || query.stat->name == statistic) &&
                 (!period || query.stat->period == Millis(*period * 1000)) &&
                 (unit < 0 || query.stat->unit == unit);
        });
    if (watches) write_alarm(out, alarm);
  }
  return out.end_array().end_object().finish();
}

ServiceAnswer describe_alarm_history(MetricSession& session, JsonView input) {
  AlarmBook::HistoryFilter filter;
  MR_TRY(name, text_in(input, "AlarmName", kAlarmNameMax));
  MR_TRY(types,
         types_in(input, name.empty() ? std::set<std::string>{"MetricAlarm"} : std::set<std::string>{}));
  MR_TRY(kind, text_in(input, "HistoryItemType"));
  MR_TRY(from, time_in(input, "StartDate"));
  MR_TRY(until, time_in(input, "EndDate"));
  MR_TRY(limit, whole_in(input, "MaxRecords", 1, 100));
  MR_TRY(order, text_in(input, "ScanBy"));
  MR_TRY(place, place_of_token(input));
  if (!kind.empty() && kind != "ConfigurationUpdate" && kind != "StateUpdate" && kind != "Action")
    return validation("The value " + kind + " for parameter HistoryItemType is invalid.");
  if (!place.empty()) {
    const auto [end, error] = std::from_chars(place.data(), place.data() + place.size(), filter.behind);
    if (error != std::errc() || end != place.data() + place.size())
      return service_error("InvalidNextToken", "The next token is invalid.");
  }
  filter.alarm = std::move(name);
  filter.types = std::move(types);
  filter.kind = std::move(kind);
  filter.from = from;
  filter.until = until;
  filter.newest_first = order != "TimestampAscending";
  const std::size_t most = static_cast<std::size_t>(limit.value_or(100));
  filter.limit = most + 1;
  auto items = session.alarms.history(filter);
  if (!items) return refused(items.error());
  const bool more = items->size() > most;
  if (more) items->pop_back();
  JsonWriter out;
  out.begin_object().key("AlarmHistoryItems").begin_array();
  for (const AlarmBook::HistoryItem& item : *items) {
    out.begin_object().key("AlarmName").string(item.alarm).key("AlarmType").string(item.type);
    out.key("Timestamp").number(epoch_seconds(item.time)).key("HistoryItemType").string(item.kind);
    out.key("HistorySummary").string(item.summary).key("HistoryData").string(item.data).end_object();
  }
  out.end_array();
  if (more) out.key("NextToken").string(page_token(std::to_string(items->back().number)));
  return out.end_object().finish();
}

}  // namespace millrace::tasks::cloudwatch
