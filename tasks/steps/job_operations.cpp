#include "tasks/steps/job_operations.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/catalog.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/steps/step_cache.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kJobsListedMax = 1'000'000;

// "any", or the kind of a job's records.
Result<std::string> wanted_kind(const Arguments& arguments) {
  MR_TRY(wanted, arguments.text_or("JobKind", "any"));
  std::string names;
  for (const JobKind* kind : job_kinds()) names += std::string(kind->entity.kind) + "|";
  MR_DO(arguments.one_of("JobKind", wanted, names + "any"));
  return wanted;
}

std::string job_time(const EntityKind& kind, std::string_view end) {
  return std::string(kind.kind.substr(0, kind.kind.size() - std::string_view("Job").size())) +
         std::string(end);
}

// The same members for all kinds.
Json job_summary(const EntityKind& kind, const Json& record) {
  Json summary = {{"JobName", record.value(name_field(kind), Json())},
                  {"JobKind", kind.kind},
                  {"JobArn", record.value(arn_field(kind), Json())},
                  {"JobStatus", record.value(std::string(kind.kind) + "Status", Json())},
                  {"CreationTime", record.value("CreationTime", Json())}};
  if (record.contains("LastModifiedTime")) summary["LastModifiedTime"] = record["LastModifiedTime"];
  const std::string begun = job_time(kind, "StartTime"), ended = job_time(kind, "EndTime");
  if (record.contains(begun)) summary["StartTime"] = record[begun];
  // A tuning job begins when it is made.
  if (kind.kind == kTuningJob.kind) summary["StartTime"] = record.value("CreationTime", Json());
  if (record.contains(ended)) summary["EndTime"] = record[ended];
  if (record.contains("FailureReason")) summary["FailureReason"] = record["FailureReason"];
  const Json notes = record.value(kNotes, Json::object());
  const Json step = notes.value(kStep, Json::object());
  if (step.contains("Usage")) summary["Usage"] = step["Usage"];
  if (step.contains("Image")) summary["Image"] = step["Image"];
  if (step.contains("Cache")) summary["Cache"] = text_at(step, {"Cache", "Result"});
  if (notes.contains("Caller")) summary["Caller"] = notes["Caller"];
  return summary;
}

Result<Json> job_list(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(wanted, wanted_kind(arguments));
  MR_TRY(contains, arguments.text_or("NameContains", ""));
  MR_TRY(status, arguments.text_or("StatusEquals", ""));
  std::vector<Jobs::Record> hits;
  for (const JobKind* of_job : job_kinds()) {
    const EntityKind* kind = &of_job->entity;
    if (wanted != "any" && wanted != kind->kind) continue;
    MR_TRY(records, call.context.jobs().records(kind->kind, {}, kJobsListedMax));
    for (const Jobs::Record& record : records) {
      Json summary = job_summary(*kind, record.document);
      const bool fits = text_in(summary, "JobName").find(contains) != std::string::npos &&
                        (status.empty() || text_in(summary, "JobStatus") == status);
      if (fits) hits.push_back({record.number, std::move(summary)});
    }
  }
  MR_TRY(page, page_of(std::move(hits), arguments, {{"CreationTime", "CreationTime"}, {"Name", "JobName"}}));
  return page_answer("JobSummaries", page, [](const Json& summary) { return summary; });
}

struct FoundJob {
  const EntityKind* kind;
  Json record;
};

// By name or ARN; of names that several kinds have the kind must be given.
Result<FoundJob> find_job(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(given, arguments.text("JobName"));
  MR_TRY(wanted, wanted_kind(arguments));
  std::vector<FoundJob> found;
  for (const JobKind* of_job : job_kinds()) {
    const EntityKind* kind = &of_job->entity;
    if (wanted != "any" && wanted != kind->kind) continue;
    auto record = call.context.jobs().find(kind->kind, name_of(*kind, given));
    if (record) found.push_back({kind, std::move(*record)});
    if (!record && record.error().code != ErrorCode::NotFound) return fail(record.error());
  }
  if (found.empty()) return fail(ErrorCode::NotFound, "there is no job \"" + given + "\"");
  if (found.size() == 1) return std::move(found.front());
  std::string kinds;
  for (const FoundJob& job : found) kinds += (kinds.empty() ? "" : ", ") + std::string(job.kind->kind);
  return arguments.wrong("JobName", "\"" + given + "\" is the name of several: " + kinds, "give JobKind");
}

Result<Json> job_document(const TaskCall& call) {
  MR_TRY(job, find_job(call));
  const Json notes = job.record.value(kNotes, Json::object());
  Json answer = {{"JobKind", job.kind->kind},
                 {"JobName", job.record.value(name_field(*job.kind), Json())},
                 {"Job", described(job.record)},
                 {"Overview", job_summary(*job.kind, job.record)}};
  for (const char* member : {kStep, kCourse, "Caller", "ExecutionArn", "Progress"})
    if (notes.contains(member)) answer[member] = notes[member];
  answer["LogFile"] =
      call.context.jobs().log_path(job.kind->kind, text_in(job.record, name_field(*job.kind))).string();
  return answer;
}

}  // namespace

Outcome list_job_records(TaskCall& call) {
  const auto answer = job_list(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Outcome describe_job_record(TaskCall& call) {
  const auto answer = job_document(call);
  if (!answer && answer.error().code == ErrorCode::NotFound)
    return sagemaker_failure("ResourceNotFoundException", answer.error().message);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

}  // namespace millrace::tasks
