// Monitoring schedules of the task library as the clock carries them out: each due time calls
// runMonitoringExecution, which is named after it. What was missed is made up for, hour by hour, unless the
// schedule's tag millrace:missed says otherwise: each run looks at a span of its own.

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "service/bus/operations.h"
#include "service/bus/schedules.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/monitoring/schedules.h"

namespace millrace::bus {
namespace {

constexpr std::string_view kRunMonitoring = "arn:aws:scheduler:::aws-sdk:sagemaker:runMonitoringExecution";
constexpr Millis kMissedMax{7 * 86'400'000};        // what was missed before is not made up for
constexpr Millis kLookBackMax{400LL * 86'400'000};  // for the due time before
constexpr Millis kOneSecond{1'000};

MissedRuns missed_of(const Json& record) {
  const Json notes = record.value(tasks::kNotes, Json::object());
  for (const Json& tag : notes.value("Tags", Json::array())) {
    if (tasks::text_at(tag, {"Key"}) != "millrace:missed") continue;
    const std::string value = tasks::text_at(tag, {"Value"});
    return value == "skip"       ? MissedRuns::Skip
           : value == "run-once" ? MissedRuns::RunOnce
                                 : MissedRuns::CatchUp;
  }
  return MissedRuns::CatchUp;
}

// NOW is one time: when the schedule was made, or changed last.
Result<triggers::ScheduleExpression> expression_of(const Json& record, Instant active) {
  const std::string text =
      tasks::text_at(record, {"MonitoringScheduleConfig", "ScheduleConfig", "ScheduleExpression"});
  if (text.empty() || text == tasks::kScheduleNow)
    return triggers::ScheduleExpression::parse("at(" + format_rfc3339(active + kOneSecond).substr(0, 19) +
                                               ")");
  return triggers::ScheduleExpression::parse(text);
}

// The due time before `due`, or nothing: looked for in longer and longer spans.
std::optional<Instant> due_before(const Scheduled& schedule, Instant due) {
  for (Millis span{60'000};; span = std::min(span * 24, kLookBackMax)) {
    std::optional<Instant> last;
    for (auto next = schedule.expression.next(due - span - Millis(1), *schedule.zone, schedule.anchor);
         next && next->time < due;
         next = schedule.expression.next(next->time, *schedule.zone, schedule.anchor))
      last = next->time;
    if (last || span == kLookBackMax) return last;
  }
}

std::vector<Delivery> monitoring_deliveries(const Scheduled& schedule, const std::string& born, Instant due) {
  Delivery delivery;
  delivery.key = schedule.arn + "/" + born + "/" + format_rfc3339(due);
  delivery.origin = schedule.arn;
  delivery.target = kRunMonitoring;
  delivery.since = due;
  delivery.policy.age_max = kMissedMax;
  Json input = {{"MonitoringScheduleName", schedule.name}, {"ScheduledTime", format_rfc3339(due)}};
  // What runs once looks back an hour.
  if (schedule.expression.kind() != triggers::ScheduleExpression::Kind::At)
    input["PreviousTime"] =
        format_rfc3339(due_before(schedule, due).value_or(std::min(schedule.anchor, due - kOneSecond)));
  delivery.input = to_payload(input).text();
  return {std::move(delivery)};
}

}  // namespace

std::string monitoring_key(const std::string& name) {
  return std::string(kMonitoringKey) + name;
}

std::optional<Scheduled> compile_monitoring_schedule(const Json& record) {
  if (tasks::text_at(record, {"MonitoringScheduleStatus"}) != "Scheduled") return std::nullopt;
  Scheduled made;
  made.name = tasks::text_at(record, {"MonitoringScheduleName"});
  made.arn = tasks::text_at(record, {"MonitoringScheduleArn"});
  made.key = monitoring_key(made.name);
  const Instant created = millis_in(record, "CreationTime").value_or(Instant{});
  const Json notes = record.value(tasks::kNotes, Json::object());
  const Instant active = millis_in(notes, tasks::kActiveNote).value_or(created);
  auto expression = expression_of(record, active);
  auto zone = triggers::TimeZone::load("UTC");
  if (!expression || !zone) {
    log::error(
        "a monitoring schedule can't be carried out",
        {{"schedule", made.name}, {"why", expression ? zone.error().message : expression.error().message}});
    return std::nullopt;
  }
  made.expression = std::move(*expression);
  made.zone = std::make_shared<const triggers::TimeZone>(std::move(*zone));
  made.anchor = active;
  made.active = active;
  made.age_max = kMissedMax;
  made.settings.missed = missed_of(record);
  made.deliveries = [schedule = made, born = std::to_string(to_millis(created))](Instant due) {
    return monitoring_deliveries(schedule, born, due);
  };
  return made;
}

}  // namespace millrace::bus
