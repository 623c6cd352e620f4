#include "tasks/jobs/job_life.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/experiments/job_components.h"
#include "tasks/jobs/job_context.h"
#include "tasks/jobs/tags.h"
#include "tasks/steps/step_cache.h"
#include "tasks/steps/step_run.h"

namespace millrace::tasks {
namespace {

std::string status_field(const JobKind& kind) {
  return std::string(kind.entity.kind) + "Status";
}
// "Training" of TrainingJob: TrainingStartTime, TrainingEndTime; AutoML's are EndTime alone.
std::string time_prefix(const JobKind& kind) {
  if (kind.entity.kind == kAutoMLJob.kind) return {};
  return std::string(kind.entity.kind.substr(0, kind.entity.kind.size() - std::string_view("Job").size()));
}
bool shows_secondary_status(const JobKind& kind) {
  return kind.entity.kind == kTrainingJob.kind;
}

bool finished(const JobKind& kind, const Json& record) {
  const std::string status = text_in(record, status_field(kind));
  return status == "Completed" || status == "Failed" || status == "Stopped";
}

void set_in_progress(const JobKind& kind, const TaskCall& call, Json& record) {
  const std::int64_t now = to_millis(call.context.clock().now());
  record[status_field(kind)] = "InProgress";
  record["LastModifiedTime"] = now;
  if (shows_secondary_status(kind)) begin_secondary_status(record, "Starting", "Preparing the job", now);
  record[kNotes]["Key"] = call.key;
  record[kNotes]["Background"] = !call.sync;
}

// Members of the answer that are not the request's to say.
bool belongs_to_answer(const JobKind& kind, std::string_view key) {
  const auto ends_with = [&](std::string_view end) {
    return key.size() >= end.size() && key.substr(key.size() - end.size()) == end;
  };
  return ends_with("Time") || ends_with("Status") || key == arn_field(kind.entity) || key == kNotes ||
         key == "FailureReason" || key == "SecondaryStatusTransitions" || key == "ModelArtifacts" ||
         key == "FinalMetricDataList" || key == "DebugRuleEvaluationStatuses";
}

Json first_record(const JobKind& kind, const Json& request, const std::string& name, const TaskCall& call) {
  Json record = Json::object();
  record[name_field(kind.entity)] = name;
  record[arn_field(kind.entity)] = entity_arn(kind.entity, name);
  for (const auto& [key, value] : request.items())
    if (!value.is_null() && !belongs_to_answer(kind, key)) record[key] = value;
  record["CreationTime"] = to_millis(call.context.clock().now());
  if (kind.entity.kind == kTuningJob.kind) {
    record["TrainingJobStatusCounters"] = {
        {"Completed", 0}, {"InProgress", 0}, {"RetryableError", 0}, {"NonRetryableError", 0}, {"Stopped", 0}};
    record["ObjectiveStatusCounters"] = {{"Succeeded", 0}, {"Pending", 0}, {"Failed", 0}};
  }
  if (shows_secondary_status(kind)) record["SecondaryStatusTransitions"] = Json::array();
  if (kind.entity.kind == kAutoMLJob.kind) {
    record["AutoMLJobSecondaryStatus"] = "Starting";
    // "TabularJobConfig" is Tabular.
    if (const Json problems = record.value("AutoMLProblemTypeConfig", Json()); problems.is_object())
      for (const auto& [key, config] : problems.items())
        record["AutoMLProblemTypeConfigName"] = key.substr(0, key.rfind("JobConfig"));
  }
  record[kNotes] = Json{{"Request", request}};
  if (!call.caller.empty()) record[kNotes]["Caller"] = call.caller;
  if (!call.execution_arn.empty()) record[kNotes]["ExecutionArn"] = call.execution_arn;
  keep_tags(request, record);
  set_in_progress(kind, call, record);
  return record;
}

// Fits the request to a record that exists: the same job, the same job once more, or somebody else's name.
Result<Json> attach(const JobKind& kind, const Json& request, const std::string& name, const TaskCall& call) {
  return call.context.jobs().modify(kind.entity.kind, name, [&](Json& record) -> Status {
    const bool same_request = record.value("/Millrace/Request"_json_pointer, Json()) == request;
    if (!same_request || call.key.empty())
      return fail(ErrorCode::AlreadyExists,
                  std::string(kind.entity.kind) + " \"" + name + "\" already exists",
                  same_request ? "job names are used once"
                               : "it was made by a different request; choose another name");
    const std::string status = text_in(record, status_field(kind));
    const bool other_attempt = record.value("/Millrace/Key"_json_pointer, "") != call.key;
    if ((status == "Failed" || status == "Stopped") && other_attempt) {
      record.erase("FailureReason");
      record.erase(time_prefix(kind) + "EndTime");
      set_in_progress(kind, call, record);
    }
    return {};
  });
}

std::string failure_reason(const Error& error) {
  const std::string text = error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  if (text.rfind("AlgorithmError", 0) == 0) return text;
  const bool callers_fault = error.code == ErrorCode::InvalidArgument || error.code == ErrorCode::NotFound;
  return (callers_fault ? "ClientError: " : "InternalServerError: ") + text;
}

// How the work ended, as the record says it.
struct Ending {
  std::string status, secondary, reason;
  Json fields = Json::object();
  std::string message = {};  // of the last secondary status; else the reason
};

Ending ending_of(const Result<Json>& worked, const JobContext& context) {
  if (worked && worked->value(kStoppedEarly, false)) return {"Stopped", "Stopped", "", *worked};
  if (worked) return {"Completed", "Completed", "", *worked};
  if (worked.error().code != ErrorCode::Cancelled)
    return {"Failed", "Failed", failure_reason(worked.error())};
  if (context.timed_out())
    return {"Stopped", "MaxRuntimeExceeded",
            "the job ran longer than StoppingCondition.MaxRuntimeInSeconds allows"};
  return {"Stopped", "Stopped", ""};
}

// Libraries below may throw; a job that can't have its memory fails, the engine goes on.
Result<Json> guarded_work(const JobKind& kind, const Json& request, JobContext& context) {
  if (context.cancelled()) return fail(ErrorCode::Cancelled, "stopped before it began");
  try {
    return kind.work(request, context);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::Internal, "not enough memory", "use less data, or a machine with more");
  } catch (const std::exception& error) {
    return fail(ErrorCode::Internal, error.what());
  }
}

Result<Json> end_record(const JobKind& kind, const std::string& name, const Ending& ending, TaskCall& call) {
  const std::int64_t now = to_millis(call.context.clock().now());
  return call.context.jobs().modify(kind.entity.kind, name, [&](Json& record) -> Status {
    for (const auto& [key, value] : ending.fields.items()) {
      if (key == kNotes)
        record[kNotes].update(value);
      else if (key != kStoppedEarly)
        record[key] = value;
    }
    record[status_field(kind)] = ending.status;
    if (!ending.reason.empty()) record["FailureReason"] = ending.reason;
    record[time_prefix(kind) + "EndTime"] = now;
    record["LastModifiedTime"] = now;
    if (kind.entity.kind == kAutoMLJob.kind && ending.status != "Completed")
      record["AutoMLJobSecondaryStatus"] = ending.status;
    if (!shows_secondary_status(kind)) return {};
    begin_secondary_status(record, ending.secondary, ending.message.empty() ? ending.reason : ending.message,
                           now);
    record["SecondaryStatusTransitions"].back()["EndTime"] = now;
    const std::int64_t seconds = (now - record.value("TrainingStartTime", now)) / 1000;
    record["TrainingTimeInSeconds"] = seconds;
    record["BillableTimeInSeconds"] = seconds;
    return {};
  });
}

// With the claim in hand: the work and its record.
Result<Json> work_on(const JobKind& kind, const std::string& name, const Jobs::Claim& claim, TaskCall& call) {
  Jobs& jobs = call.context.jobs();
  bool first_run = false;
  MR_TRY(record, jobs.modify(kind.entity.kind, name, [&](Json& r) -> Status {
    if (finished(kind, r)) return {};
    const std::string field = time_prefix(kind) + "StartTime";
    first_run = !r.contains(field);
    const bool shown = kind.entity.kind != kTuningJob.kind && kind.entity.kind != kAutoMLJob.kind;
    const std::int64_t now = to_millis(call.context.clock().now());
    if (shown && !r.contains(field)) {
      r[field] = now;
    } else if (shows_secondary_status(kind) && r.value("EnableManagedSpotTraining", false) &&
               text_in(r, status_field(kind)) == "InProgress" &&
               text_in(r, "SecondaryStatus") != "Starting") {
      begin_secondary_status(r, "Interrupted", "Goes on from the last checkpoint", now);
    }
    return {};
  }));
  if (finished(kind, record)) return record;
  if (text_in(record, status_field(kind)) == "Stopping")
    return end_record(kind, name, {"Stopped", "Stopped", ""}, call);
  const Json request = record.at(kNotes).at("Request");
  const std::int64_t runtime_max_s =
      request.value("/StoppingCondition/MaxRuntimeInSeconds"_json_pointer, std::int64_t{0});
  JobContext context(call, claim, std::string(kind.entity.kind), name, std::chrono::seconds(runtime_max_s),
                     record.value("CreationTime", std::int64_t{0}));
  context.log(std::string(kind.entity.kind) + " " + name + " begins");
  StepRun step(kind, name, request, record, first_run, context);
  const Result<Json> worked = step.run([&] { return guarded_work(kind, request, context); });
  if (!worked && context.suspended()) {
    context.log("the engine goes down; the job continues when it is back");
    return fail(ErrorCode::Cancelled, "the engine is going down");
  }
  Ending ending = ending_of(worked, context);
  ending.fields[kNotes].update(Json{{kStep, step.notes(ending.status == "Completed")}});
  ending.message = step.cached_words();
  context.log(ending.status + (ending.reason.empty() ? "" : ": " + ending.reason));
  return end_record(kind, name, ending, call);
}

bool has_record(const JobKind& kind, const TaskCall& call) {
  const auto name = Arguments(call.arguments).text(name_field(kind.entity));
  return name && call.context.jobs().find(kind.entity.kind, *name);
}

Outcome outcome_of(const JobKind& kind, const Json& record) {
  Payload document = to_payload(described(record));
  if (text_in(record, status_field(kind)) == "Completed") return document;
  return failed(error_names::kTaskFailed, std::string(document.text()));
}

}  // namespace

Result<Json> ensure_job(const JobKind& kind, const Json& request, const TaskCall& call) {
  const Arguments arguments(request);
  const std::string field = name_field(kind.entity);
  MR_TRY(name, arguments.text(field));
  MR_DO(check_name(field, name, kind.entity.name_max));
  MR_TRY(stopping, arguments.object_or_empty("StoppingCondition"));
  MR_TRY(runtime_max_s, stopping.integer_or("MaxRuntimeInSeconds", 86'400));
  if (runtime_max_s < 1) return stopping.wrong("MaxRuntimeInSeconds", "must be at least 1");
  MR_DO(check_tags(request));
  MR_DO(cache_policy_of(request, ""));
  MR_DO(kind.check(request, call.context));
  Json record = first_record(kind, request, name, call);
  const Status created = call.context.jobs().create(kind.entity.kind, name, record);
  if (created) return record;
  if (created.error().code != ErrorCode::AlreadyExists) return fail(created.error());
  return attach(kind, request, name, call);
}

Result<Json> finish_job(const JobKind& kind, std::string_view name_given, TaskCall& call) {
  const std::string name(name_given);
  Jobs& jobs = call.context.jobs();
  for (;;) {
    if (const auto claim = jobs.claim(kind.entity.kind, name)) return work_on(kind, name, *claim, call);
    if (call.context.cancelled()) {
      const bool going_down = call.suspended && call.suspended();
      if (!going_down) jobs.request_stop(kind.entity.kind, name);
      return fail(ErrorCode::Cancelled, "cancelled while another attempt runs the job");
    }
    std::this_thread::sleep_for(Millis(20));
  }
}

Outcome create_job(const JobKind& kind, TaskCall& call) {
  if (call.context.cancelled() && !has_record(kind, call))
    return failed(error_names::kTaskFailed, "cancelled before the job began");
  if (!has_record(kind, call)) {
    Jobs& jobs = call.context.jobs();
    const Status experiment =
        call.key.empty()
            ? check_experiment_config(jobs, call.arguments)
            : ensure_experiment_config(jobs, call.arguments, to_millis(call.context.clock().now()));
    if (!experiment && experiment.error().code == ErrorCode::NotFound)
      return sagemaker_failure("ResourceNotFoundException", experiment.error().message);
    if (!experiment) return sagemaker_failure(experiment.error());
  }
  const auto record = ensure_job(kind, call.arguments, call);
  if (!record) return sagemaker_failure(record.error());
  const std::string name = record->at(name_field(kind.entity)).get<std::string>();
  Payload arn = arn_answer(kind.entity, name);
  if (!call.sync) {
    if (finished(kind, *record) || !call.run_later || call.run_later(kind.entity.kind, name)) return arn;
    const Status undone = call.context.jobs().remove(kind.entity.kind, name);
    return sagemaker_failure("ResourceLimitExceededException",
                             undone ? "too many jobs are waiting; try again later" : undone.error().message);
  }
  if (call.submitted) call.submitted(Json{{arn_field(kind.entity), entity_arn(kind.entity, name)}});
  const auto ended = finish_job(kind, name, call);
  if (!ended) return sagemaker_failure(ended.error());
  return outcome_of(kind, *ended);
}

Outcome stop_job(const JobKind& kind, TaskCall& call) {
  const auto name = Arguments(call.arguments).text(name_field(kind.entity));
  if (!name) return sagemaker_failure(name.error());
  Jobs& jobs = call.context.jobs();
  const bool runs = jobs.request_stop(kind.entity.kind, *name);
  const auto record = jobs.modify(kind.entity.kind, *name, [&](Json& r) -> Status {
    if (finished(kind, r)) return {};
    const std::int64_t now = to_millis(call.context.clock().now());
    r[status_field(kind)] = runs ? "Stopping" : "Stopped";
    r["LastModifiedTime"] = now;
    if (!runs) r[time_prefix(kind) + "EndTime"] = now;
    if (kind.entity.kind == kAutoMLJob.kind) r["AutoMLJobSecondaryStatus"] = r[status_field(kind)];
    if (!shows_secondary_status(kind)) return {};
    begin_secondary_status(r, runs ? "Stopping" : "Stopped", "", now);
    if (!runs) r["SecondaryStatusTransitions"].back()["EndTime"] = now;
    return {};
  });
  if (!record && record.error().code == ErrorCode::NotFound)
    return sagemaker_failure("ResourceNotFoundException", record.error().message);
  if (!record) return sagemaker_failure(record.error());
  return Payload::empty_object();
}

}  // namespace millrace::tasks
