#include "tasks/monitoring/schedules.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"
#include "tasks/monitoring/executions.h"
#include "tasks/monitoring/monitoring_plan.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSchedulesMax = 100'000;  // that a list looks at

// Tags that say what AWS's members can't: missed=catch-up (all that was missed), run-once, skip.
Status check_missed(const Json& request) {
  for (const Json& tag : request.value("Tags", Json::array())) {
    if (text_in(tag, "Key") != "millrace:missed") continue;
    const std::string value = text_in(tag, "Value");
    if (value != "catch-up" && value != "run-once" && value != "skip")
      return invalid("Tags: millrace:missed is \"" + value + "\"", "it is catch-up, run-once or skip");
  }
  return {};
}

// The configuration, checked whole; the plan that it means.
Result<MonitoringPlan> checked_schedule_config(const TaskCall& call, Json& config) {
  const Arguments in(call.arguments);
  MR_TRY(given, in.object("MonitoringScheduleConfig"));
  MR_TRY(plan, read_monitoring_plan(given.json(), call.context.jobs()));
  MR_TRY(schedule, given.object_or_empty("ScheduleConfig"));
  MR_TRY(expression, schedule.text_or("ScheduleExpression", kScheduleNow));
  if (expression == kScheduleNow && (plan.start_offset.empty() || plan.end_offset.empty())) {
    plan.start_offset = plan.start_offset.empty() ? "-PT1H" : plan.start_offset;
    plan.end_offset = plan.end_offset.empty() ? "-PT0H" : plan.end_offset;
  }
  if (expression != kScheduleNow && call.monitoring && call.monitoring->check_expression)
    if (const Status fine = call.monitoring->check_expression(expression); !fine)
      return schedule.wrong("ScheduleExpression", fine.error().message, fine.error().hint);
  const Instant now = call.context.clock().now();
  MR_DO(span_of(plan, now, now - std::chrono::seconds(1)));
  if (!plan.endpoint.empty()) {
    MR_TRY(endpoint, call.context.jobs().find(kEndpoint.kind, plan.endpoint));
    if (text_at(endpoint, {"DataCaptureConfig", "DestinationS3Uri"}).empty())
      return invalid("EndpointName: \"" + plan.endpoint + "\" captures nothing",
                     "give its endpoint configuration a DataCaptureConfig");
  }
  config = given.json();
  if (!config.contains("ScheduleConfig")) config["ScheduleConfig"] = {{"ScheduleExpression", kScheduleNow}};
  return plan;
}

void describe_plan(const MonitoringPlan& plan, Json& fields) {
  fields["MonitoringType"] = plan.type->name;
  fields.erase("EndpointName");
  if (!plan.endpoint.empty()) fields["EndpointName"] = plan.endpoint;
}

Json schedule_summary(const Json& record) {
  Json out = Json::object();
  for (const char* member :
       {"MonitoringScheduleName", "MonitoringScheduleArn", "CreationTime", "LastModifiedTime",
        "MonitoringScheduleStatus", "EndpointName", "MonitoringType"})
    if (record.contains(member)) out[member] = record[member];
  const std::string definition = text_at(record, {"MonitoringScheduleConfig", "MonitoringJobDefinitionName"});
  if (!definition.empty()) out["MonitoringJobDefinitionName"] = definition;
  return out;
}

Result<Json> listed_schedules(const TaskCall& call) {
  const Arguments in(call.arguments);
  MR_TRY(filter, ListFilter::read(kMonitoringSchedule, in));
  MR_TRY(records, call.context.jobs().records(kMonitoringSchedule.kind, {}, kSchedulesMax));
  std::erase_if(records, [&](const Jobs::Record& record) { return !filter.fits(record.document); });
  const std::pair<const char*, const char*> kEquals[] = {
      {"EndpointName", "EndpointName"},
      {"MonitoringJobDefinitionName", "MonitoringJobDefinitionName"},
      {"MonitoringTypeEquals", "MonitoringType"}};
  for (const auto& [argument, member] : kEquals) {
    MR_TRY(wanted, in.text_or(argument, ""));
    if (!wanted.empty())
      std::erase_if(records, [&](const Jobs::Record& record) {
        return text_in(schedule_summary(record.document), member) != wanted;
      });
  }
  MR_TRY(page, page_of(std::move(records), in, usual_sort_keys(kMonitoringSchedule)));
  return page_answer(kMonitoringSchedule.list_field, page, schedule_summary);
}

Result<std::string> schedule_name(const TaskCall& call) {
  MR_TRY(given, Arguments(call.arguments).text("MonitoringScheduleName"));
  return name_of(kMonitoringSchedule, given);
}

// {} or the failure.
Outcome change_schedule(TaskCall& call, const std::function<Status(Json& record, std::int64_t now)>& change) {
  const auto name = schedule_name(call);
  if (!name) return sagemaker_failure(name.error());
  const std::int64_t now = to_millis(call.context.clock().now());
  const auto changed =
      call.context.jobs().modify(kMonitoringSchedule.kind, *name, [&](Json& r) { return change(r, now); });
  if (!changed) return entity_failure(kMonitoringSchedule, changed.error());
  return Payload::empty_object();
}

}  // namespace

Outcome create_monitoring_schedule(TaskCall& call) {
  const auto name = Arguments(call.arguments).text("MonitoringScheduleName");
  if (!name) return sagemaker_failure(name.error());
  if (const Status fine = check_name("MonitoringScheduleName", *name); !fine)
    return sagemaker_failure(fine.error());
  if (const Status fine = check_tags(call.arguments); !fine) return sagemaker_failure(fine.error());
  if (const Status fine = check_missed(call.arguments); !fine) return sagemaker_failure(fine.error());
  Json config;
  const auto plan = checked_schedule_config(call, config);
  if (!plan) return sagemaker_failure(plan.error());
  Json fields = {{"MonitoringScheduleStatus", "Scheduled"},
                 {"MonitoringScheduleConfig", config},
                 {kNotes, {{kActiveNote, to_millis(call.context.clock().now())}}}};
  describe_plan(*plan, fields);
  return create_entity(kMonitoringSchedule, *name, std::move(fields), call);
}

Outcome describe_monitoring_schedule(TaskCall& call) {
  const auto name = schedule_name(call);
  if (!name) return sagemaker_failure(name.error());
  const auto record = call.context.jobs().find(kMonitoringSchedule.kind, *name);
  if (!record) return entity_failure(kMonitoringSchedule, record.error());
  Json answer = described(*record);
  const auto last = last_execution_summary(call.context.jobs(), *name);
  if (!last) return sagemaker_failure(last.error());
  if (!last->is_null()) answer["LastMonitoringExecutionSummary"] = *last;
  return to_payload(answer);
}

Outcome list_monitoring_schedules(TaskCall& call) {
  const auto answer = listed_schedules(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Outcome update_monitoring_schedule(TaskCall& call) {
  Json config;
  const auto plan = checked_schedule_config(call, config);
  if (!plan) return sagemaker_failure(plan.error());
  const Outcome changed = change_schedule(call, [&](Json& record, std::int64_t now) -> Status {
    // The same request again, of the same attempt: its times go on.
    if (!call.key.empty() && record[kNotes].value("UpdateKey", "") == call.key) return {};
    record["MonitoringScheduleConfig"] = config;
    describe_plan(*plan, record);
    record["LastModifiedTime"] = now;
    record[kNotes][kActiveNote] = now;
    record[kNotes]["UpdateKey"] = call.key;
    return {};
  });
  if (!changed) return changed;
  return arn_answer(kMonitoringSchedule, *schedule_name(call));
}

Outcome start_monitoring_schedule(TaskCall& call) {
  return change_schedule(call, [](Json& record, std::int64_t now) -> Status {
    if (text_in(record, "MonitoringScheduleStatus") == "Scheduled") return {};
    record["MonitoringScheduleStatus"] = "Scheduled";
    record["LastModifiedTime"] = now;
    record[kNotes][kActiveNote] = now;  // what was due while it was stopped is not made up for
    return {};
  });
}

Outcome stop_monitoring_schedule(TaskCall& call) {
  return change_schedule(call, [](Json& record, std::int64_t now) -> Status {
    if (text_in(record, "MonitoringScheduleStatus") == "Stopped") return {};
    record["MonitoringScheduleStatus"] = "Stopped";
    record["LastModifiedTime"] = now;
    return {};
  });
}

Outcome delete_monitoring_schedule(TaskCall& call) {
  const auto name = schedule_name(call);
  if (!name) return sagemaker_failure(name.error());
  Jobs& jobs = call.context.jobs();
  const auto executions = jobs.list(kMonitoringExecution.kind, *name + "/", kSchedulesMax);
  if (!executions) return sagemaker_failure(executions.error());
  const bool runs = std::any_of(executions->begin(), executions->end(), [](const Json& execution) {
    const std::string status = text_in(execution, "MonitoringExecutionStatus");
    return status == "InProgress" || status == "Stopping";
  });
  if (runs)
    return sagemaker_failure(
        "ValidationException",
        "Monitoring schedule \"" + *name +
            "\" has an execution that is in progress; wait for it, or stop its processing job");
  const Status removed = jobs.remove(kMonitoringSchedule.kind, *name);
  if (!removed) return entity_failure(kMonitoringSchedule, removed.error());
  for (const Json& execution : *executions) {
    const Instant due = from_millis(execution.value("ScheduledTime", std::int64_t{0}));
    const Status gone = jobs.remove(kMonitoringExecution.kind, *name + "/" + compact_time(due));
    if (!gone && gone.error().code != ErrorCode::NotFound) return sagemaker_failure(gone.error());
  }
  return Payload::empty_object();
}

}  // namespace millrace::tasks
