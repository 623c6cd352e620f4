#include "tasks/monitoring/executions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/jobs/listing.h"
#include "tasks/monitor/analyzer.h"
#include "tasks/monitoring/monitoring_plan.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kExecutionsMax = 100'000;    // that a list looks at
constexpr std::size_t kViolationsInRecord = 100;   // more stand in the file alone
constexpr std::size_t kDistancesInRecord = 1'000;  // features
constexpr std::int64_t kUsualSpanMs = 3'600'000;   // without a time before

std::string execution_name(const MonitoringRun& run) {
  return run.schedule + "/" + compact_time(run.due);
}

Result<MonitoringRun> run_of(const Arguments& arguments, const std::string& name, const Json& schedule,
                             const MonitoringPlan& plan) {
  MR_TRY(due, time_argument(arguments, "ScheduledTime"));
  MR_TRY(previous, time_argument(arguments, "PreviousTime"));
  if (!due) return arguments.wrong("ScheduledTime", "is required");
  MonitoringRun run;
  run.schedule = name;
  run.born = std::to_string(schedule.value("CreationTime", std::int64_t{0}));
  run.due = from_millis(*due);
  MR_TRY(span, span_of(plan, run.due, from_millis(previous.value_or(*due - kUsualSpanMs))));
  run.span = span;
  return run;
}

// The record as it begins. An equal one is there when this run was asked for before.
Result<Json> begin_record(Jobs& jobs, const MonitoringRun& run, const MonitoringPlan& plan, Instant now) {
  Json record = {{"MonitoringScheduleName", run.schedule},
                 {"MonitoringScheduleArn", entity_arn(kMonitoringSchedule, run.schedule)},
                 {"ScheduledTime", to_millis(run.due)},
                 {"CreationTime", to_millis(now)},
                 {"LastModifiedTime", to_millis(now)},
                 {"MonitoringExecutionStatus", "InProgress"},
                 {"MonitoringType", plan.type->name},
                 {"ProcessingJobArn", entity_arn(kProcessingJob, monitoring_job_name(run))},
                 {"StartTime", to_millis(run.span.from)},
                 {"EndTime", to_millis(run.span.until)},
                 {"OutputS3Uri", monitoring_output(plan, run)},
                 {kNotes, {{"Until", format_rfc3339(run.span.until)}}}};
  if (!plan.endpoint.empty()) record["EndpointName"] = plan.endpoint;
  if (!plan.definition.empty()) record["MonitoringJobDefinitionName"] = plan.definition;
  const std::string name = execution_name(run);
  const Status created = jobs.create(kMonitoringExecution.kind, name, record);
  if (created) return record;
  if (created.error().code != ErrorCode::AlreadyExists) return fail(created.error());
  return jobs.find(kMonitoringExecution.kind, name);
}

Status fail_execution(Jobs& jobs, const std::string& name, const std::string& why, Instant now) {
  const auto changed = jobs.modify(kMonitoringExecution.kind, name, [&](Json& record) -> Status {
    record["MonitoringExecutionStatus"] = "Failed";
    record["FailureReason"] = why;
    record["LastModifiedTime"] = to_millis(now);
    return {};
  });
  return changed ? Status() : Status(fail(changed.error()));
}

// Whether another try may end otherwise.
bool may_pass(const Failure& failure) {
  return failure.error.find("ResourceLimitExceeded") != std::string::npos ||
         failure.error.find("AmazonSageMaker") != std::string::npos;
}

Outcome start_job(TaskCall& call, const Json& request) {
  TaskCall job{request, call.context};
  job.key = text_in(request, "ProcessingJobName");  // the same whenever this run is asked for
  job.caller = call.caller;
  job.run_later = call.run_later;
  job.suspended = call.suspended;
  return create_job(kProcessingJobKind, job);
}

Outcome execution_answer(const Json& record) {
  return to_payload(Json{{"ProcessingJobArn", record["ProcessingJobArn"]},
                         {"MonitoringExecutionStatus", record["MonitoringExecutionStatus"]}});
}

std::string execution_status(const Json& job) {
  const std::string status = text_in(job, "ProcessingJobStatus");
  const bool violated =
      status == "Completed" && job.value("Summary", Json::object()).value("violation_count", 0) > 0;
  return violated ? "CompletedWithViolations" : status;
}

// What an execution shows of the job that has ended.
void carry_over(const Json& job, Json& record) {
  const Json summary = job.value("Summary", Json::object());
  if (job.contains("FailureReason")) record["FailureReason"] = job["FailureReason"];
  if (job.contains("ExitMessage")) record["ExitMessage"] = job["ExitMessage"];
  if (!summary.is_object() || text_in(job, "ProcessingJobStatus") != "Completed") return;
  record["RowCount"] = summary.value("rows", std::int64_t{0});
  record["ViolationCount"] = summary.value("violation_count", std::int64_t{0});
  Json violations = Json::array();
  for (const Json& violation : summary.value("violations", Json::array())) {
    if (violations.size() == kViolationsInRecord) break;
    violations.push_back(violation);
  }
  record["Violations"] = std::move(violations);
  const Json distances = summary.value("distances", Json::object());
  if (!distances.empty() && distances.size() <= kDistancesInRecord)
    record[kNotes][kDistancesNote] = distances;
}

Json execution_summary(const Json& record) {
  Json out = Json::object();
  for (const char* member : {"MonitoringScheduleName", "ScheduledTime", "CreationTime", "LastModifiedTime",
                             "MonitoringExecutionStatus", "ProcessingJobArn", "EndpointName", "FailureReason",
                             "MonitoringJobDefinitionName", "MonitoringType"})
    if (record.contains(member)) out[member] = record[member];
  return out;
}

Result<Json> listed_executions(const TaskCall& call) {
  const Arguments in(call.arguments);
  MR_TRY(schedule, in.text_or("MonitoringScheduleName", ""));
  MR_TRY(filter, ListFilter::read(kMonitoringExecution, in));
  MR_TRY(after, time_argument(in, "ScheduledTimeAfter"));
  MR_TRY(before, time_argument(in, "ScheduledTimeBefore"));
  MR_TRY(records, call.context.jobs().records(
                      kMonitoringExecution.kind,
                      schedule.empty() ? "" : name_of(kMonitoringSchedule, schedule) + "/", kExecutionsMax));
  const std::pair<const char*, const char*> kEquals[] = {
      {"EndpointName", "EndpointName"},
      {"MonitoringJobDefinitionName", "MonitoringJobDefinitionName"},
      {"MonitoringTypeEquals", "MonitoringType"}};
  for (const auto& [argument, member] : kEquals) {
    MR_TRY(wanted, in.text_or(argument, ""));
    if (wanted.empty()) continue;
    std::erase_if(records, [&](const Jobs::Record& r) { return text_in(r.document, member) != wanted; });
  }
  std::erase_if(records, [&](const Jobs::Record& r) {
    const auto due = r.document.value("ScheduledTime", std::int64_t{0});
    return !filter.fits(r.document) || (after && due < *after) || (before && due > *before);
  });
  MR_TRY(page, page_of(std::move(records), in,
                       {{"ScheduledTime", "ScheduledTime"},
                        {"CreationTime", "CreationTime"},
                        {"Status", "MonitoringExecutionStatus"}}));
  return page_answer(kMonitoringExecution.list_field, page, execution_summary);
}

}  // namespace

Outcome run_monitoring_execution(TaskCall& call) {
  Jobs& jobs = call.context.jobs();
  const Arguments arguments(call.arguments);
  const auto given = arguments.text("MonitoringScheduleName");
  if (!given) return sagemaker_failure(given.error());
  const std::string name = name_of(kMonitoringSchedule, *given);
  const auto schedule = jobs.find(kMonitoringSchedule.kind, name);
  if (!schedule) return entity_failure(kMonitoringSchedule, schedule.error());
  const auto plan = read_monitoring_plan(schedule->value("MonitoringScheduleConfig", Json::object()), jobs);
  if (!plan) return sagemaker_failure(plan.error());
  const auto run = run_of(arguments, name, *schedule, *plan);
  if (!run) return sagemaker_failure(run.error());
  const Instant now = call.context.clock().now();
  const auto record = begin_record(jobs, *run, *plan, now);
  if (!record) return sagemaker_failure(record.error());
  // A job of that name is this run's, whatever the schedule says by now.
  if (jobs.find(kProcessingJob.kind, monitoring_job_name(*run))) return execution_answer(*record);
  const auto request = monitoring_job_request(*plan, *run, jobs);
  const Outcome started = request ? start_job(call, *request) : Outcome(sagemaker_failure(request.error()));
  if (started) return execution_answer(*record);
  if (may_pass(started.error())) return started;
  const Status ended = fail_execution(jobs, execution_name(*run), started.error().cause, now);
  if (!ended) return sagemaker_failure(ended.error());
  return started;
}

Outcome list_monitoring_executions(TaskCall& call) {
  const auto answer = listed_executions(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Result<Json> last_execution_summary(const Jobs& jobs, const std::string& schedule) {
  MR_TRY(records, jobs.list(kMonitoringExecution.kind, schedule + "/", 1));
  return records.empty() ? Json() : execution_summary(records.front());
}

Status follow_monitoring_job(Jobs& jobs, const Jobs::Change& change) {
  if (change.kind != kProcessingJob.kind || change.removed) return {};
  const std::string name = text_at(change.document, {"Environment", kExecutionVariable});
  if (name.empty() || text_in(change.document, "MonitoringScheduleArn").empty()) return {};
  const auto followed = jobs.modify(kMonitoringExecution.kind, name, [&](Json& record) -> Status {
    // Another job may have been given that variable.
    if (text_in(record, "ProcessingJobArn") != text_in(change.document, arn_field(kProcessingJob))) return {};
    record["MonitoringExecutionStatus"] = execution_status(change.document);
    record["LastModifiedTime"] = change.document.value("LastModifiedTime", std::int64_t{0});
    carry_over(change.document, record);
    return {};
  });
  if (!followed && followed.error().code != ErrorCode::NotFound) return fail(followed.error());
  return {};
}

}  // namespace millrace::tasks
