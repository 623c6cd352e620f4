#include "tasks/monitoring/alerts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kJudgedMax = 100'000;  // executions of one schedule that are looked at
constexpr const char* kAlertNote = "Alert";

struct AlertRule {
  std::int64_t to_alert = 1, period = 1, modified = 0;
};

AlertRule alert_rule(const Json& schedule) {
  const Json notes = schedule.value(kNotes, Json::object());
  const Json kept = notes.value(kAlertNote, Json::object());
  return {kept.value("DatapointsToAlert", std::int64_t{1}), kept.value("EvaluationPeriod", std::int64_t{1}),
          kept.value("LastModifiedTime", schedule.value("CreationTime", std::int64_t{0}))};
}

Result<std::vector<AlertDatapoint>> datapoints_of(const Jobs& jobs, const std::string& schedule) {
  MR_TRY(records, jobs.list(kMonitoringExecution.kind, schedule + "/", kJudgedMax));
  std::vector<AlertDatapoint> out;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    const std::string status = text_in(*record, "MonitoringExecutionStatus");
    if (!status.starts_with("Completed")) continue;
    out.push_back({from_millis(record->value("LastModifiedTime", std::int64_t{0})),
                   status == "CompletedWithViolations"});
  }
  return out;
}

std::string alert_status(bool in_alert) {
  return in_alert ? "InAlert" : "OK";
}

Result<Json> listed_alerts(const TaskCall& call) {
  MR_TRY(given, Arguments(call.arguments).text("MonitoringScheduleName"));
  const std::string name = name_of(kMonitoringSchedule, given);
  const Jobs& jobs = call.context.jobs();
  MR_TRY(schedule, jobs.find(kMonitoringSchedule.kind, name));
  MR_TRY(datapoints, datapoints_of(jobs, name));
  const AlertRule rule = alert_rule(schedule);
  const auto changes = alert_changes(datapoints, static_cast<std::size_t>(rule.to_alert),
                                     static_cast<std::size_t>(rule.period));
  Json alert = {{"MonitoringAlertName", kMonitoringAlertName},
                {"CreationTime", schedule.value("CreationTime", std::int64_t{0})},
                {"LastModifiedTime", rule.modified},
                {"AlertStatus", alert_status(!changes.empty() && changes.back().in_alert)},
                {"DatapointsToAlert", rule.to_alert},
                {"EvaluationPeriod", rule.period},
                {"Actions", {{"ModelDashboardIndicator", {{"Enabled", true}}}}}};
  return Json{{"MonitoringAlertSummaries", Json::array({std::move(alert)})}};
}

Result<Json> listed_history(const TaskCall& call) {
  const Arguments in(call.arguments);
  MR_TRY(wanted, in.text_or("MonitoringScheduleName", ""));
  MR_TRY(alert, in.text_or("MonitoringAlertName", ""));
  MR_TRY(status, in.text_or("StatusEquals", ""));
  MR_TRY(after, time_argument(in, "CreationTimeAfter"));
  MR_TRY(before, time_argument(in, "CreationTimeBefore"));
  const Jobs& jobs = call.context.jobs();
  MR_TRY(schedules, jobs.list(kMonitoringSchedule.kind, {}, kJudgedMax));
  std::vector<Jobs::Record> found;
  for (const Json& schedule : schedules) {
    const std::string name = text_in(schedule, "MonitoringScheduleName");
    const bool left_out = (!wanted.empty() && name_of(kMonitoringSchedule, wanted) != name) ||
                          (!alert.empty() && alert != kMonitoringAlertName);
    if (left_out) continue;
    MR_TRY(datapoints, datapoints_of(jobs, name));
    const AlertRule rule = alert_rule(schedule);
    for (const AlertChange& change : alert_changes(datapoints, static_cast<std::size_t>(rule.to_alert),
                                                   static_cast<std::size_t>(rule.period))) {
      const std::int64_t time = to_millis(change.time);
      if ((after && time < *after) || (before && time > *before)) continue;
      if (!status.empty() && status != alert_status(change.in_alert)) continue;
      found.push_back({static_cast<std::int64_t>(found.size()),
                       {{"MonitoringScheduleName", name},
                        {"MonitoringAlertName", kMonitoringAlertName},
                        {"CreationTime", time},
                        {"AlertStatus", alert_status(change.in_alert)}}});
    }
  }
  MR_TRY(page, page_of(std::move(found), in, {{"CreationTime", "CreationTime"}, {"Status", "AlertStatus"}}));
  return page_answer("MonitoringAlertHistory", page, [](const Json& record) { return record; });
}

Result<Json> updated_alert(TaskCall& call) {
  const Arguments in(call.arguments);
  MR_TRY(given, in.text("MonitoringScheduleName"));
  MR_TRY(alert, in.text("MonitoringAlertName"));
  if (alert != kMonitoringAlertName)
    return in.wrong("MonitoringAlertName", "\"" + alert + "\" is not there",
                    std::string("each schedule has one alert: ") + kMonitoringAlertName);
  MR_TRY(to_alert, in.integer_or("DatapointsToAlert", 0));
  MR_TRY(period, in.integer_or("EvaluationPeriod", 0));
  if (period < 1 || period > kAlertPeriodMax)
    return in.wrong("EvaluationPeriod", "must be from 1 to " + std::to_string(kAlertPeriodMax));
  if (to_alert < 1 || to_alert > period)
    return in.wrong("DatapointsToAlert", "must be from 1 to the EvaluationPeriod");
  const std::string name = name_of(kMonitoringSchedule, given);
  const std::int64_t now = to_millis(call.context.clock().now());
  MR_DO(call.context.jobs().modify(kMonitoringSchedule.kind, name, [&](Json& record) -> Status {
    record[kNotes][kAlertNote] = {
        {"DatapointsToAlert", to_alert}, {"EvaluationPeriod", period}, {"LastModifiedTime", now}};
    return {};
  }));
  return Json{{"MonitoringScheduleArn", entity_arn(kMonitoringSchedule, name)},
              {"MonitoringAlertName", kMonitoringAlertName}};
}

Outcome alert_outcome(const Result<Json>& answer) {
  if (!answer) return entity_failure(kMonitoringSchedule, answer.error());
  return to_payload(*answer);
}

}  // namespace

std::vector<AlertChange> alert_changes(std::span<const AlertDatapoint> datapoints, std::size_t to_alert,
                                       std::size_t period) {
  std::vector<AlertChange> out;
  std::size_t violated = 0;
  bool in_alert = false;
  for (std::size_t i = 0; i < datapoints.size(); ++i) {
    violated += datapoints[i].violated ? 1 : 0;
    if (i >= period && datapoints[i - period].violated) --violated;
    if ((violated >= to_alert) == in_alert) continue;
    in_alert = !in_alert;
    out.push_back({datapoints[i].time, in_alert});
  }
  return out;
}

Outcome list_monitoring_alerts(TaskCall& call) {
  return alert_outcome(listed_alerts(call));
}
Outcome list_monitoring_alert_history(TaskCall& call) {
  return alert_outcome(listed_history(call));
}
Outcome update_monitoring_alert(TaskCall& call) {
  return alert_outcome(updated_alert(call));
}

}  // namespace millrace::tasks
