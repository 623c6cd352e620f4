// What a schedule is due for, and what it hands over: compiled from its record. Pure but for time zones,
// which are read.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "service/bus/operations.h"
#include "service/bus/schedules.h"

namespace millrace::bus {
namespace {

constexpr Millis kOnTime{60'000};  // later than this is missed

// "20261121T023000Z"
std::string compact_time(Instant time) {
  std::string text = format_rfc3339(time).substr(0, 19) + "Z";
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string second_text(Instant time) {
  return format_rfc3339(time).substr(0, 19) + "Z";
}

void replace_all(std::string& text, std::string_view mark, std::string_view value) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size())
    text.replace(at, mark.size(), value);
}

std::shared_ptr<const triggers::TimeZone> zone_named(const std::string& name) {
  static std::map<std::string, std::shared_ptr<const triggers::TimeZone>> known;  // loop thread
  auto& zone = known[name];
  if (zone) return zone;
  auto loaded = triggers::TimeZone::load(name.empty() ? "UTC" : name);
  if (loaded) zone = std::make_shared<const triggers::TimeZone>(std::move(*loaded));
  return zone;
}

Json scheduled_event(const BusPlace& place, const std::string& id, const std::string& source, Instant due,
                     const std::string& arn, Json detail) {
  return {{"version", "0"},
          {"id", id},
          {"detail-type", "Scheduled Event"},
          {"source", source},
          {"account", place.account},
          {"time", second_text(due)},
          {"region", place.region},
          {"resources", Json::array({arn})},
          {"detail", std::move(detail)}};
}

std::string text_of(const Json& json) {
  return std::string(to_payload(json).text());
}

struct ScheduleTarget {
  std::string arn, name, born;
  Json target;
  BusPlace place;
};

std::vector<Delivery> deliveries_of_schedule(const ScheduleTarget& of, Instant due) {
  Delivery delivery;
  // A schedule that is made again under its name is another one.
  delivery.key = of.arn + "/" + of.born + "/" + second_text(due);
  delivery.origin = of.arn;
  delivery.target = of.target.value("Arn", "");
  delivery.name = execution_name(of.name.substr(0, 38) + "-" + compact_time(due), delivery.key);
  delivery.policy = policy_of(of.target);
  delivery.since = due;
  const std::string id = uuid_named(delivery.key);
  const auto given = of.target.find("Input");
  delivery.input = given != of.target.end() && given->is_string()
                       ? given->get<std::string>()
                       : text_of(scheduled_event(of.place, id, "aws.scheduler", due, of.arn, "{}"));
  replace_all(delivery.input, "<aws.scheduler.schedule-arn>", of.arn);
  replace_all(delivery.input, "<aws.scheduler.scheduled-time>", second_text(due));
  replace_all(delivery.input, "<aws.scheduler.execution-id>", id);
  if (const auto bridge = of.target.find("EventBridgeParameters"); bridge != of.target.end()) {
    Json detail = Json::parse(delivery.input, nullptr, false);
    Json event = scheduled_event(of.place, id, bridge->value("Source", ""), due, of.arn,
                                 detail.is_object() ? detail : Json::object());
    event["detail-type"] = bridge->value("DetailType", "");
    delivery.event = text_of(event);
  }
  if (const auto sqs = of.target.find("SqsParameters"); sqs != of.target.end())
    delivery.parameters = to_payload({{"SqsParameters", *sqs}});
  return {std::move(delivery)};
}

}  // namespace

std::optional<Scheduled> compile_schedule(const std::string& key, const Json& record, const BusPlace& place) {
  if (record.value("State", "") != "ENABLED") return std::nullopt;
  Scheduled made;
  made.key = "schedule/" + key;
  made.arn = record.value("Arn", "");
  made.name = key.substr(key.find(kKeySeparator) + 1);
  auto expression = triggers::ScheduleExpression::parse(record.value("ScheduleExpression", ""));
  made.zone = zone_named(record.value("ScheduleExpressionTimezone", "UTC"));
  if (!expression || !made.zone) {
    log::error(
        "a schedule can't be carried out",
        {{"schedule", made.arn},
         {"why", expression ? "its time zone is not there (package tzdata)" : expression.error().message}});
    return std::nullopt;
  }
  made.expression = std::move(*expression);
  const Instant created = millis_in(record, "Created").value_or(Instant{});
  const auto start = millis_in(record, "StartDate");
  made.anchor = start.value_or(created);
  made.active =
      std::max(millis_in(record, "Active").value_or(created), start.value_or(Instant{})) - Millis(1);
  made.end = millis_in(record, "EndDate");
  if (const auto window = record.find("FlexibleTimeWindow"); window != record.end())
    made.window = std::chrono::minutes(window->value("MaximumWindowInMinutes", 0));
  made.settings = read_schedule_settings(record.value("Description", "")).value_or(ScheduleSettings{});
  if (record.value("ActionAfterCompletion", "") == "DELETE") made.delete_after = key;
  const ScheduleTarget target{made.arn, made.name, std::to_string(to_millis(created)),
                              record.value("Target", Json::object()), place};
  made.age_max = policy_of(target.target).age_max;
  made.deliveries = [target](Instant due) { return deliveries_of_schedule(target, due); };
  return made;
}

std::optional<Scheduled> compile_scheduled_rule(const std::string& key, const Json& record,
                                                const BusPlace& place) {
  const std::string text = record.value("ScheduleExpression", "");
  const RulePtr rule = text.empty() ? nullptr : compile_rule(key, record);
  if (!rule) return std::nullopt;
  auto expression = triggers::ScheduleExpression::parse(text);
  if (!expression) return std::nullopt;
  Scheduled made;
  made.key = "rule/" + key;
  made.arn = rule->arn;
  made.name = rule->name;
  made.expression = std::move(*expression);
  made.zone = zone_named("UTC");
  made.anchor = made.active = rule->enabled;
  made.settings = read_schedule_settings(record.value("Description", "")).value_or(ScheduleSettings{});
  made.deliveries = [rule, place](Instant due) {
    const std::string id =
        uuid_named(rule->arn + "/" + std::to_string(to_millis(rule->enabled)) + "/" + second_text(due));
    const Payload event =
        to_payload(scheduled_event(place, id, "aws.events", due, rule->arn, Json::object()));
    std::vector<Delivery> list;
    for (const RuleTarget& target : rule->targets) {
      list.push_back(delivery_of(*rule, target, event, id, due));
      list.back().name = execution_name(rule->name.substr(0, 38) + "-" + compact_time(due), list.back().key);
    }
    return list;
  };
  return made;
}

Instant begin_of(const Scheduled& schedule, Instant due) {
  if (schedule.window.count() == 0) return due;
  const std::uint64_t drawn = hash64(schedule.arn + "/" + std::to_string(to_millis(due)));
  return due + Millis(static_cast<std::int64_t>(drawn % static_cast<std::uint64_t>(schedule.window.count())));
}

std::vector<Instant> due_runs(const Scheduled& s, Instant until, Instant now, std::size_t limit) {
  // Those behind `after`, up to now.
  const auto list = [&](Instant after) {
    std::vector<Instant> found;
    for (auto due = s.expression.next(after, *s.zone, s.anchor); due;
         due = s.expression.next(due->time, *s.zone, s.anchor)) {
      if ((s.end && due->time > *s.end) || begin_of(s, due->time) > now) break;
      found.push_back(due->time);
      if (found.size() > 2 * limit)
        found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(limit));
    }
    return found;
  };
  const Instant on_time = now - kOnTime - s.window;
  if (until >= on_time) return list(until);
  const Instant oldest = std::max(until, now - s.age_max);
  if (s.settings.missed == MissedRuns::Skip) return list(on_time);
  if (s.settings.missed == MissedRuns::CatchUp) {
    std::vector<Instant> found = list(oldest);
    if (found.size() > limit) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(limit));
    return found;
  }
  // The newest one, looked for in longer and longer spans, so that a long absence of a frequent schedule is
  // cheap.
  for (Millis span = kOnTime + s.window;; span *= 60) {
    const Instant from = std::max(oldest, now - span);
    std::vector<Instant> found = list(from);
    if (from == on_time && !found.empty()) return found;
    if (!found.empty()) return {found.back()};
    if (from == oldest) return {};
  }
}

}  // namespace millrace::bus
