#include "tasks/metrics/alarm_book.h"

#include <algorithm>
#include <limits>

#include "base/log.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kShownPoints = 10;       // in StateReasonData
constexpr std::size_t kHistoryDataMax = 4095;  // of HistoryData
constexpr std::size_t kRankMax = 100;          // composite alarms of composite alarms of …

// The end of the last period that was over `delay` ago.
Instant last_end(Instant now, Millis period, Millis delay) {
  const std::int64_t t = to_millis(now - delay), p = period.count();
  return from_millis(t - t % p);
}

std::string reason_data_of(const Alarm& alarm, const AlarmVerdict& verdict, Instant from, Instant now) {
  JsonWriter out;
  out.begin_object().key("version").string("1.0").key("queryDate").string(notice_time(now));
  out.key("startDate").string(notice_time(from));
  if (alarm.queries.size() == 1 && alarm.queries[0].stat)
    out.key("statistic").string(alarm.queries[0].stat->name);
  out.key("period").number(alarm.period.count() / 1000).key("recentDatapoints").begin_array();
  const std::size_t shown = std::min(verdict.evaluated.size(), kShownPoints);
  for (std::size_t i = shown; i > 0; --i) out.number(*verdict.evaluated[i - 1].value);
  out.end_array().key("threshold").number(alarm.rules.threshold).key("evaluatedDatapoints").begin_array();
  for (std::size_t i = 0; i < shown; ++i) {
    const AlarmPoint& point = verdict.evaluated[i];
    out.begin_object().key("timestamp").string(notice_time(point.time));
    if (point.samples > 0) out.key("sampleCount").number(point.samples);
    out.key("value").number(*point.value).end_object();
  }
  return std::string(out.end_array().end_object().finish().text());
}

std::string cut_to(std::string text, std::size_t max) {
  if (text.size() <= max) return text;
  while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0) == 0x80) --max;
  text.resize(max);
  return text;
}

}  // namespace

const char* const AlarmBook::kSchema =
    "CREATE TABLE IF NOT EXISTS alarms(name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS alarm_history(number INTEGER PRIMARY KEY AUTOINCREMENT, alarm TEXT NOT NULL,"
    " type TEXT NOT NULL, kind TEXT NOT NULL, time INTEGER NOT NULL, summary TEXT NOT NULL, data TEXT NOT "
    "NULL);"
    "CREATE INDEX IF NOT EXISTS alarm_history_by_alarm ON alarm_history(alarm, number);"
    "CREATE TABLE IF NOT EXISTS alarm_changes(number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT "
    "NULL);";

Result<AlarmBook> AlarmBook::open(Database& database, ServicePlace place, Limits limits, Instant now) {
  AlarmBook book;
  book.database_ = &database;
  book.place_ = std::move(place);
  book.limits_ = limits;
  const auto prepare = [&](Statement& statement, const char* sql) -> Status {
    MR_TRY(made, database.prepare(sql));
    statement = std::move(made);
    return {};
  };
  MR_DO(prepare(book.put_, "INSERT OR REPLACE INTO alarms(name, record) VALUES(?, ?)"));
  MR_DO(prepare(book.erase_, "DELETE FROM alarms WHERE name = ?"));
  MR_DO(prepare(book.note_,
                "INSERT INTO alarm_history(alarm, type, kind, time, summary, data) "
                "VALUES(?, ?, ?, ?, ?, ?)"));
  MR_DO(prepare(book.tidy_,
                "DELETE FROM alarm_history WHERE number IN (SELECT number FROM alarm_history "
                "WHERE time < ? ORDER BY number LIMIT 1000)"));
  MR_DO(prepare(book.enqueue_, "INSERT INTO alarm_changes(record) VALUES(?) RETURNING number"));
  MR_DO(prepare(book.dequeue_, "DELETE FROM alarm_changes WHERE number = ?"));
  MR_DO(book.load(now));
  return book;
}

Status AlarmBook::load(Instant now) {
  for (const auto& [name, alarm] : alarms_) touched_.insert(name);
  alarms_.clear();
  order_.clear();
  due_.clear();
  parents_.clear();
  stale_.clear();
  changer_.clear();
  changes_.clear();
  MR_TRY(all, database_->prepare("SELECT record FROM alarms"));
  for (;;) {
    MR_TRY(row, all.step());
    if (!row) break;
    MR_TRY(alarm, read_alarm_record(all.text(0), place_));
    touched_.insert(alarm.name);
    link(alarm, true);
    schedule(alarm, now);
    alarms_.emplace(alarm.name, std::move(alarm));
  }
  MR_TRY(untold, database_->prepare("SELECT number, record FROM alarm_changes ORDER BY number"));
  for (;;) {
    MR_TRY(row, untold.step());
    if (!row) break;
    MR_TRY(change, read_change_record(untold.integer(0), untold.text(1)));
    changes_.push_back(std::move(change));
  }
  return {};
}

Status AlarmBook::forget(Instant now) {
  return load(now);
}

const Alarm* AlarmBook::find(std::string_view name) const {
  const auto found = alarms_.find(name);
  return found == alarms_.end() ? nullptr : &found->second;
}

// ---- The order

void AlarmBook::schedule(const Alarm& alarm, Instant due) {
  unschedule(alarm.name);
  order_.insert({due, alarm.name});
  due_[alarm.name] = due;
}

void AlarmBook::unschedule(const std::string& name) {
  const auto found = due_.find(name);
  if (found == due_.end()) return;
  order_.erase({found->second, name});
  due_.erase(found);
}

std::optional<Instant> AlarmBook::first_due() const {
  return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
}

void AlarmBook::link(const Alarm& alarm, bool linked) {
  if (!alarm.rule) return;
  for (const std::string& child : alarm.rule->alarms()) {
    if (linked)
      parents_[child].insert(alarm.name);
    else if (const auto found = parents_.find(child); found != parents_.end())
      found->second.erase(alarm.name);
  }
}

bool AlarmBook::reaches(const std::string& from, const std::string& name, std::set<std::string>& seen) const {
  if (from == name) return true;
  if (!seen.insert(from).second) return false;
  const Alarm* alarm = find(from);
  if (!alarm || !alarm->rule) return false;
  const auto& children = alarm->rule->alarms();
  return std::any_of(children.begin(), children.end(),
                     [&](const std::string& child) { return reaches(child, name, seen); });
}

// Children come before those that ask for them.
std::size_t AlarmBook::rank(const std::string& name) const {
  std::map<std::string, std::size_t> known;
  return rank(name, known);
}

std::size_t AlarmBook::rank(const std::string& name, std::map<std::string, std::size_t>& known) const {
  const Alarm* alarm = find(name);
  if (!alarm || !alarm->rule) return 0;
  if (const auto found = known.find(name); found != known.end()) return found->second;
  std::size_t highest = 0;
  for (const std::string& child : alarm->rule->alarms()) highest = std::max(highest, rank(child, known));
  return known[name] = highest + 1;
}

// ---- What is kept

Status AlarmBook::keep(const Alarm& alarm) {
  const std::string record = alarm_record(alarm);
  touched_.insert(alarm.name);
  return put_.bind(1, std::string_view(alarm.name)).bind(2, std::string_view(record)).run();
}

Status AlarmBook::note(const Alarm& alarm, std::string_view kind, std::string_view summary,
                       std::string_view data, Instant now) {
  note_.bind(1, std::string_view(alarm.name)).bind(2, alarm.type()).bind(3, kind).bind(4, to_millis(now));
  return note_.bind(5, summary).bind(6, data).run();
}

Status AlarmBook::put(Alarm alarm, Instant now) {
  const std::string name = alarm.name;
  const auto old = alarms_.find(name);
  if (old == alarms_.end() && alarms_.size() >= limits_.alarms_max)
    return fail(ErrorCode::LimitExceeded, "there are " + std::to_string(alarms_.size()) + " alarms already",
                "delete some, or raise monitoring.alarms_max");
  if (alarm.rule) {
    std::string missing;
    for (const std::string& child : alarm.rule->alarms()) {
      std::set<std::string> seen;
      if (reaches(child, name, seen))
        return invalid("The alarm rule of " + name + " refers to itself, directly or through " + child);
      if (rank(child) >= kRankMax)
        return invalid("The alarm rule of " + name + " is nested deeper than " + std::to_string(kRankMax) +
                       " levels");
      if (!find(child)) missing += (missing.empty() ? "" : ", ") + child;
    }
    if (!missing.empty())
      return invalid("Could not save the composite alarm as alarms [" + missing +
                     "] in the alarm rule do not exist");
  }
  const bool is_new = old == alarms_.end();
  alarm.configured = now;
  alarm.updated = alarm.transitioned = now;
  if (!is_new) {
    const Alarm& before = old->second;
    alarm.state = before.state;
    alarm.reason = before.reason;
    alarm.reason_data = before.reason_data;
    alarm.updated = before.updated;
    alarm.transitioned = before.transitioned;
    alarm.tags = before.tags;  // those of a request count for new alarms only
    link(before, false);
    alarms_.erase(old);
  }
  MR_DO(keep(alarm));
  const std::string data = "{\"version\":\"1.0\",\"type\":\"" + std::string(is_new ? "Create" : "Update") +
                           "\",\"" + (is_new ? "created" : "updated") +
                           "Alarm\":" + std::string(alarm.settings.text()) + "}";
  MR_DO(note(alarm, "ConfigurationUpdate", "Alarm \"" + name + "\" " + (is_new ? "created" : "updated"),
             cut_to(data, kHistoryDataMax), now));
  link(alarm, true);
  schedule(alarm, now);
  alarms_.emplace(name, std::move(alarm));
  return {};
}

Status AlarmBook::erase(const std::string& name, Instant now) {
  const auto found = alarms_.find(name);
  if (found == alarms_.end()) return {};
  MR_DO(erase_.bind(1, std::string_view(name)).run());
  MR_DO(note(found->second, "ConfigurationUpdate", "Alarm \"" + name + "\" deleted",
             R"({"version":"1.0","type":"Delete"})", now));
  link(found->second, false);
  unschedule(name);
  touched_.insert(name);
  alarms_.erase(found);
  if (const auto asking = parents_.find(name); asking != parents_.end())
    for (const std::string& parent : asking->second) {
      stale_.insert({rank(parent), parent});
      changer_[parent] = "The alarm " + name + " was deleted";
    }
  return evaluate_parents(now);
}

Status AlarmBook::enable_actions(const std::string& name, bool enabled, Instant now) {
  const auto found = alarms_.find(name);
  if (found == alarms_.end() || found->second.actions_enabled == enabled) return {};
  found->second.actions_enabled = enabled;
  MR_DO(note(found->second, "ConfigurationUpdate",
             "Alarm \"" + name + "\" updated: actions " + (enabled ? "enabled" : "disabled"),
             R"({"version":"1.0","type":"Update"})", now));
  return keep(found->second);
}

Status AlarmBook::set_tags(const std::string& name, Payload tags) {
  const auto found = alarms_.find(name);
  if (found == alarms_.end()) return {};
  found->second.tags = std::move(tags);
  return keep(found->second);
}

// ---- States

Status AlarmBook::change(Alarm& alarm, AlarmState state, std::string reason, std::string reason_data,
                         Instant now) {
  const Alarm before = alarm;
  alarm.state = state;
  alarm.reason = cut_to(std::move(reason), 1023);
  alarm.reason_data = std::move(reason_data);
  alarm.updated = now;
  if (before.state == state) return keep(alarm);
  alarm.transitioned = now;
  MR_DO(keep(alarm));
  MR_DO(
      note(alarm, "StateUpdate",
           "Alarm updated from " + std::string(name_of(before.state)) + " to " + std::string(name_of(state)),
           cut_to(history_of_change(before, alarm), kHistoryDataMax), now));
  AlarmChange told = make_change(before, alarm, place_);
  const Payload record = change_record(told);
  MR_TRY(row, enqueue_.bind(1, record.text()).step());
  told.number = row ? enqueue_.integer(0) : 0;
  enqueue_.reset();
  changes_.push_back(std::move(told));
  if (const auto found = parents_.find(alarm.name); found != parents_.end()) {
    for (const std::string& parent : found->second) {
      stale_.insert({rank(parent), parent});
      changer_[parent] =
          alarm.arn + " transitioned to " + std::string(name_of(state)) + " at " + format_rfc3339(now);
    }
  }
  return {};
}

Status AlarmBook::set_state(const std::string& name, AlarmState state, std::string reason,
                            std::string reason_data, Instant now) {
  const auto found = alarms_.find(name);
  if (found == alarms_.end()) return {};
  MR_DO(change(found->second, state, std::move(reason), std::move(reason_data), now));
  return evaluate_parents(now);
}

Status AlarmBook::evaluate_metric(PointTable& points, Alarm& alarm, Instant now) {
  const Instant end = last_end(now, alarm.period, limits_.delay);
  schedule(alarm, end + alarm.period + limits_.delay);
  const std::size_t range = evaluation_range(alarm.rules);
  const Instant from = end - alarm.period * static_cast<std::int64_t>(range);
  auto results = run_queries(points, alarm.queries, from, end);
  if (!results) {
    if (results.error().code != ErrorCode::InvalidArgument) return fail(results.error());
    log::warning("an alarm can't be evaluated", {{"alarm", alarm.name}, {"why", results.error().message}});
    return {};
  }
  const std::vector<QueryResult>& compared = (*results)[alarm.result];
  if (compared.size() > 1) {
    log::warning("an alarm can't be evaluated",
                 {{"alarm", alarm.name}, {"why", "its expression gives several time series"}});
    return {};
  }
  std::vector<AlarmPoint> given(range);
  for (std::size_t i = 0; i < range; ++i) given[i].time = from + alarm.period * static_cast<std::int64_t>(i);
  double samples = 0;
  if (!compared.empty()) {
    for (const auto& [time, value] : compared[0].points) {
      const std::int64_t at = (time - from) / alarm.period;
      if (at < 0 || at >= static_cast<std::int64_t>(range)) continue;
      AlarmPoint& point = given[static_cast<std::size_t>(at)];
      point.value = value;
      if (const auto known = compared[0].samples.find(time); known != compared[0].samples.end())
        point.samples = known->second;
      samples += point.samples;
    }
  }
  if (alarm.samples_min && samples > 0 && samples < *alarm.samples_min) return {};
  AlarmVerdict verdict = evaluate_alarm(alarm.rules, given, alarm.state);
  if (verdict.state == alarm.state) return {};
  return change(alarm, verdict.state, std::move(verdict.reason), reason_data_of(alarm, verdict, from, now),
                now);
}

Status AlarmBook::evaluate_composite(Alarm& alarm, Instant now) {
  const bool holds = alarm.rule->holds([&](const std::string& child) {
    const Alarm* found = find(child);
    return found ? found->state : AlarmState::InsufficientData;
  });
  const AlarmState state = holds ? AlarmState::Alarm : AlarmState::Ok;
  std::string why = std::exchange(changer_[alarm.name], "");
  changer_.erase(alarm.name);
  if (state == alarm.state) return {};
  if (why.empty()) why = "The alarm rule is " + std::string(holds ? "true" : "false");
  return change(alarm, state, std::move(why), "", now);
}

// Composite alarms, lowest first: each is looked at once, when all it asks for is settled.
Status AlarmBook::evaluate_parents(Instant now) {
  while (!stale_.empty()) {
    const std::string name = stale_.begin()->second;
    stale_.erase(stale_.begin());
    const auto found = alarms_.find(name);
    if (found != alarms_.end() && found->second.rule) MR_DO(evaluate_composite(found->second, now));
  }
  return {};
}

Status AlarmBook::evaluate(PointTable& points, Instant now, std::size_t alarms_max) {
  for (; alarms_max > 0 && !order_.empty() && order_.begin()->first <= now; --alarms_max) {
    const std::string name = order_.begin()->second;
    unschedule(name);
    const auto found = alarms_.find(name);
    if (found == alarms_.end()) continue;
    if (found->second.composite())
      stale_.insert({rank(name), name});
    else
      MR_DO(evaluate_metric(points, found->second, now));
  }
  return evaluate_parents(now);
}

std::vector<AlarmChange> AlarmBook::take_changes() {
  return std::exchange(changes_, {});
}

Status AlarmBook::told(std::int64_t number, const std::string& alarm, const std::vector<std::string>& actions,
                       Instant now) {
  MR_DO(dequeue_.bind(1, number).run());
  const Alarm* found = find(alarm);
  if (database_->changes() == 0 || !found) return {};
  for (const std::string& arn : actions)
    MR_DO(note(*found, "Action", cut_to("Handed over to action " + arn, 255),
               R"({"actionState":"HandedOver","version":"1.0"})", now));
  return {};
}

std::vector<std::pair<std::string, std::optional<AlarmStatus>>> AlarmBook::take_statuses() {
  std::vector<std::pair<std::string, std::optional<AlarmStatus>>> out;
  for (const std::string& name : std::exchange(touched_, {})) {
    const Alarm* alarm = find(name);
    out.emplace_back(name, alarm
                               ? std::optional(AlarmStatus{alarm->state, alarm->transitioned, alarm->reason})
                               : std::nullopt);
  }
  return out;
}

// ---- History

Result<std::vector<AlarmBook::HistoryItem>> AlarmBook::history(const HistoryFilter& filter) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  const bool newest = filter.newest_first;
  MR_TRY(rows,
         database_->prepare(
             newest ? "SELECT number, alarm, type, kind, time, summary, data FROM alarm_history WHERE "
                      "number < ?1 AND (?2 = '' OR alarm = ?2) AND (?3 = '' OR kind = ?3) AND time >= ?4 "
                      "AND time <= ?5 ORDER BY number DESC"
                    : "SELECT number, alarm, type, kind, time, summary, data FROM alarm_history WHERE "
                      "number > ?1 AND (?2 = '' OR alarm = ?2) AND (?3 = '' OR kind = ?3) AND time >= ?4 "
                      "AND time <= ?5 ORDER BY number"));
  rows.bind(1, newest && filter.behind == 0 ? kAll : filter.behind);
  rows.bind(2, std::string_view(filter.alarm)).bind(3, std::string_view(filter.kind));
  rows.bind(4, filter.from ? to_millis(*filter.from) : std::int64_t{0});
  rows.bind(5, filter.until ? to_millis(*filter.until) : kAll);
  std::vector<HistoryItem> items;
  while (items.size() < filter.limit) {
    MR_TRY(row, rows.step());
    if (!row) break;
    HistoryItem item{rows.integer(0),
                     std::string(rows.text(1)),
                     std::string(rows.text(2)),
                     std::string(rows.text(3)),
                     std::string(rows.text(5)),
                     std::string(rows.text(6)),
                     from_millis(rows.integer(4))};
    if (filter.types.empty() || filter.types.count(item.type) > 0) items.push_back(std::move(item));
  }
  return items;
}

Status AlarmBook::tidy(Instant now) {
  return tidy_.bind(1, to_millis(now - limits_.history_kept)).run();
}

}  // namespace millrace::tasks
