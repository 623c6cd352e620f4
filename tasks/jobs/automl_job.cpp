// AutoMLJob: its record, and what is asked of it. The work is tasks/automl/automl_run.h.

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/automl/automl_book.h"
#include "tasks/automl/automl_run.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/jobs/listing.h"

namespace millrace::tasks {
namespace {

constexpr const char* kObjectiveValue = "objective";  // no member of a candidate: what it came to

Status check_automl(const Json& request, TaskContext&) {
  MR_DO(parse_automl_spec(request));
  return {};
}

Result<Json> work_automl(const Json& request, JobContext& context) {
  MR_TRY(spec, parse_automl_spec(request));
  MR_TRY(record, context.jobs().find(kAutoMLJob.kind, spec.job_name));
  return run_automl(spec, context, record.value("CreationTime", std::int64_t{0}));
}

// The candidates that ended, and the one that is being trained.
Result<Json> candidates_of(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(given, arguments.text("AutoMLJobName"));
  MR_TRY(status, arguments.text_or("StatusEquals", ""));
  MR_TRY(wanted, arguments.text_or("CandidateNameEquals", ""));
  const std::string name = name_of(kAutoMLJob, given);
  MR_TRY(job, call.context.jobs().find(kAutoMLJob.kind, name));
  std::vector<Jobs::Record> records;
  const auto add = [&](const Json& document) {
    const auto number = static_cast<std::int64_t>(records.size()) + 1;
    records.push_back({number, document});
  };
  for (const Json& document : job.at(kNotes).value(kCandidateDocuments, Json::array())) add(document);
  MR_TRY(running, call.context.jobs().list(kTrainingJob.kind, name + "-c", kCandidatesMax));
  for (const Json& record : running) {
    if (text_in(record, "AutoMLJobArn") != entity_arn(kAutoMLJob, name) ||
        text_in(record, "TrainingJobStatus") != "InProgress")
      continue;
    Candidate candidate;
    candidate.name = text_in(record, "TrainingJobName"), candidate.status = "InProgress";
    candidate.created_ms = record.value("CreationTime", std::int64_t{0});
    BoardRules rules;
    rules.prepare_job = name + "-prepare";
    add(candidate_document(rules, candidate));
  }
  std::erase_if(records, [&](const Jobs::Record& record) {
    return (!status.empty() && text_in(record.document, "CandidateStatus") != status) ||
           (!wanted.empty() && text_in(record.document, "CandidateName") != wanted);
  });
  const std::vector<SortKey> keys = {{"CreationTime", "CreationTime"},
                                     {"Status", "CandidateStatus"},
                                     {"FinalObjectiveMetricValue", kObjectiveValue}};
  MR_TRY(page,
         page_of(std::move(records), arguments, keys, [](const Json& record, const std::string& member) {
           return member == kObjectiveValue
                      ? record.value("/FinalAutoMLJobObjectiveMetric/Value"_json_pointer, Json())
                      : record.value(member, Json());
         }));
  return page_answer("Candidates", page, [](const Json& record) { return record; });
}

}  // namespace

Outcome list_candidates_for_automl_job(TaskCall& call) {
  const auto answer = candidates_of(call);
  if (!answer) return entity_failure(kAutoMLJob, answer.error());
  return to_payload(*answer);
}

const JobKind kAutoMLJobKind{kAutoMLJob, check_automl, work_automl};

}  // namespace millrace::tasks
