// HyperParameterTuningJob: a search whose trials are training jobs with records of their own. After a restart
// the trials that had ended are taken from their records.

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/job_context.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/jobs/listing.h"
#include "tasks/steps/step_cache.h"
#include "tasks/tuning/results.h"
#include "tasks/tuning/tune.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kTrialsMax = 100'000;
constexpr const char* kObjective = "objective";  // no member of a record: what its trial came to

// The surroundings of a trial: the tuning job's, with its share of the threads. Its progress is in its own
// record only.
class TrialContext final : public TaskContext {
 public:
  TrialContext(TaskContext& outer, std::int64_t parallel)
      : outer_(outer), parallel_(static_cast<int>(parallel)) {}
  bool cancelled() const override { return outer_.cancelled(); }
  void progress(const Progress&) override {}
  void log(std::string_view line) override { outer_.log(line); }
  ObjectStore& objects() override { return outer_.objects(); }
  Jobs& jobs() override { return outer_.jobs(); }
  const Clock& clock() const override { return outer_.clock(); }
  std::uint64_t seed() const override { return outer_.seed(); }
  int threads() const override { return std::max(1, outer_.threads() / std::max(1, parallel_)); }

 private:
  TaskContext& outer_;
  const int parallel_;
};

// What a trial's record says of how it ended.
TrialOutcome outcome_of(const Json& record) {
  TrialOutcome outcome;
  for (const Json& metric : record.value("FinalMetricDataList", Json::array()))
    outcome.metrics[metric.at("MetricName")] = metric.at("Value").get<double>();
  const std::string status = text_in(record, "TrainingJobStatus");
  if (status == "Completed")
    outcome.status = TrialStatus::Completed;
  else if (status == "Stopped" && !outcome.metrics.empty())
    outcome.status = TrialStatus::Stopped;
  else {
    outcome.status = TrialStatus::Failed;
    outcome.failure = text_in(record, "FailureReason");
    if (outcome.failure.empty()) outcome.failure = "it was stopped";
  }
  return outcome;
}

HyperParameters tuned_parameters(const TuningSpec& spec, const Json& record) {
  HyperParameters tuned;
  const Json all = record.value("HyperParameters", Json::object());
  for (const ParameterRange& range : spec.space)
    if (all.contains(range.name)) tuned[range.name] = all[range.name].get<std::string>();
  return tuned;
}

std::string tuning_arn(const TuningSpec& spec) {
  return entity_arn(kTuningJob, spec.job_name);
}

// The records of the job's trials, in their order.
Result<std::vector<Json>> trial_records(const Jobs& jobs, const TuningSpec& spec) {
  MR_TRY(all, jobs.list(kTrainingJob.kind, spec.job_name + "-", kTrialsMax));
  std::vector<Json> records;
  for (Json& record : all)
    if (text_in(record, "TuningJobArn") == tuning_arn(spec)) records.push_back(std::move(record));
  std::sort(records.begin(), records.end(),
            [](const Json& a, const Json& b) { return a["TrainingJobName"] < b["TrainingJobName"]; });
  return records;
}

// Trials of an earlier run of this job that came to an end of their own.
std::vector<TrialRecord> finished_trials(const TuningSpec& spec, const std::vector<Json>& records) {
  std::vector<TrialRecord> finished;
  for (const Json& record : records) {
    const std::string status = text_in(record, "TrainingJobStatus");
    const Json notes = record.value("/Millrace/Trial"_json_pointer, Json());
    const bool ended = status == "Completed" || (status == "Stopped" && notes.is_object());
    if (!ended || !notes.is_object()) continue;
    TrialRecord trial;
    trial.trial = {notes.at("number").get<std::int64_t>(), record.at("TrainingJobName"),
                   tuned_parameters(spec, record)};
    trial.outcome = outcome_of(record);
    trial.curve = notes.at("curve").get<std::vector<double>>();
    finished.push_back(std::move(trial));
  }
  return finished;
}

// One of the summaries that DescribeHyperParameterTuningJob and the list of its training jobs show.
Json trial_summary(const TuningSpec& spec, const Json& record) {
  Json summary = Json::object();
  for (const char* field : {"TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime",
                            "TrainingEndTime", "TrainingJobStatus", "FailureReason"})
    if (record.contains(field)) summary[field] = record[field];
  summary["TunedHyperParameters"] = tuned_parameters(spec, record);
  const TrialOutcome outcome = outcome_of(record);
  const auto value = outcome.metrics.find(spec.metric);
  const bool running = text_in(record, "TrainingJobStatus") == "InProgress";
  summary["ObjectiveStatus"] = running ? "Pending" : value == outcome.metrics.end() ? "Failed" : "Succeeded";
  if (value != outcome.metrics.end())
    summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
        {"Type", spec.maximize ? "Maximize" : "Minimize"},
        {"MetricName", spec.metric},
        {"Value", value->second}};
  return summary;
}

Json counters(const TuningSpec& spec, const std::vector<Json>& records) {
  Json jobs = {
      {"Completed", 0}, {"InProgress", 0}, {"RetryableError", 0}, {"NonRetryableError", 0}, {"Stopped", 0}};
  Json objectives = {{"Succeeded", 0}, {"Pending", 0}, {"Failed", 0}};
  const auto count = [](Json& counter, const std::string& key) {
    counter[key] = counter[key].get<std::int64_t>() + 1;
  };
  for (const Json& record : records) {
    const std::string status = text_in(record, "TrainingJobStatus");
    count(jobs, status == "Failed" ? "NonRetryableError" : status == "Stopping" ? "InProgress" : status);
    count(objectives, trial_summary(spec, record)["ObjectiveStatus"].get<std::string>());
  }
  return {{"TrainingJobStatusCounters", jobs}, {"ObjectiveStatusCounters", objectives}};
}

Json trial_notes(const TuningSpec& spec, const Trial& trial, const std::vector<double>& curve) {
  return {{"Trial", {{"number", trial.number}, {"metric", spec.metric}, {"curve", curve}}}};
}

// One trial as a training job under its own name, from its record or by running it.
Result<TrialOutcome> run_trial(const TuningSpec& spec, const Trial& trial, Json request,
                               const TrainHooks& hooks, const std::string& cache, JobContext& tuning) {
  request["TuningJobArn"] = tuning_arn(spec);
  std::vector<double> curve;
  JobKind kind = kTrainingJobKind;
  kind.work = [&](const Json& training, JobContext& context) -> Result<Json> {
    TrainHooks both = hooks;
    both.metric = [&](const MetricPoint& point) {
      if (point.name == spec.metric) curve.push_back(point.value);
      if (hooks.metric) hooks.metric(point);
    };
    MR_TRY(fields, train_in_job(training, context, both));
    fields[kNotes].update(trial_notes(spec, trial, curve));
    return fields;
  };
  // A trial's course is what the rules that stop others early look at.
  kind.reuse = [&](const Json& source, bool take) -> std::optional<Json> {
    const Json notes = source.value("/Millrace/Trial"_json_pointer, Json());
    if (!notes.is_object() || text_in(notes, "metric") != spec.metric) return std::nullopt;
    const auto course = notes.at("curve").get<std::vector<double>>();
    std::int64_t round = 0;
    if (take && hooks.metric)
      for (const double value : course) hooks.metric({spec.metric, value, round++});
    return trial_notes(spec, trial, course);
  };
  TrialContext context(tuning, spec.parallel_max);
  TaskCall call{request, context};
  call.key = "trial of " + spec.job_name + " " + tuning.call().key;  // attaches to what an earlier run began
  call.caller = "tuning job " + spec.job_name;
  call.sync = true;
  call.suspended = tuning.call().suspended;
  call.stop_grace = tuning.call().stop_grace;
  call.log_line = tuning.call().log_line;
  call.environments = tuning.call().environments;
  call.script_processes_max = tuning.call().script_processes_max;
  call.execution_arn = tuning.call().execution_arn;
  call.hashes = tuning.call().hashes;
  call.cache = cache;
  call.ranks = tuning.call().ranks;
  call.cents_per_hour = tuning.call().cents_per_hour;
  MR_DO(ensure_job(kind, request, call));
  MR_TRY(record, finish_job(kind, trial.job_name, call));
  if (tuning.cancelled()) return fail(ErrorCode::Cancelled, "the tuning job was stopped");
  MR_TRY(records, trial_records(tuning.jobs(), spec));
  MR_DO(tuning.jobs().modify(kTuningJob.kind, spec.job_name, [&](Json& r) -> Status {
    r.update(counters(spec, records));
    return {};
  }));
  return outcome_of(record);
}

// A tuning job to start from. InvalidArgument: unknown, not ended, or not of the same kind.
Result<Json> find_parent(const Jobs& jobs, const TuningSpec& spec, const std::string& name) {
  const std::string at = "WarmStartConfig: the parent tuning job '" + name + "' ";
  const auto record = jobs.find(kTuningJob.kind, name);
  if (!record) return invalid(at + "does not exist");
  const std::string status = text_in(*record, "HyperParameterTuningJobStatus");
  if (status != "Completed" && status != "Stopped" && status != "Failed")
    return invalid(at + "has not ended: it is " + status);
  MR_TRY(parent, parse_tuning_spec(record->at(kNotes).at("Request")));
  if (parent.metric != spec.metric || parent.maximize != spec.maximize)
    return invalid(at + "has another objective: " + parent.metric);
  const auto same = [&](const char* field) {
    return parent.definition.value(field, Json()) == spec.definition.value(field, Json());
  };
  if (spec.identical && (!same("AlgorithmSpecification") || !same("InputDataConfig"))) {
    return invalid(at + "has another algorithm or other data",
                   "WarmStartType TransferLearning learns from it all the same");
  }
  return record;
}

// The trials of the parents, and theirs.
Result<std::vector<Experience>> experience_of(const Jobs& jobs, const TuningSpec& spec, int generations = 5) {
  std::vector<Experience> out;
  for (const std::string& name : spec.parents) {
    MR_TRY(record, find_parent(jobs, spec, name));
    MR_TRY(parent, parse_tuning_spec(record.at(kNotes).at("Request")));
    if (generations > 1) {
      MR_TRY(earlier, experience_of(jobs, parent, generations - 1));
      out.insert(out.end(), earlier.begin(), earlier.end());
    }
    MR_TRY(trials, trial_records(jobs, parent));
    for (const Json& trial : trials) {
      const TrialOutcome outcome = outcome_of(trial);
      const auto value = outcome.metrics.find(spec.metric);
      if (outcome.status == TrialStatus::Failed || value == outcome.metrics.end()) continue;
      HyperParameters all = parent.static_parameters;  // what was fixed then may have a range now
      for (auto& [tuned, text] : tuned_parameters(parent, trial)) all[tuned] = text;
      out.push_back({std::move(all), value->second});
    }
  }
  return out;
}

Status check_tuning(const Json& request, TaskContext& context) {
  MR_TRY(spec, parse_tuning_spec(request));
  for (const std::string& name : spec.parents) {
    if (const auto parent = find_parent(context.jobs(), spec, name); !parent) return fail(parent.error());
  }
  // A built-in algorithm's trials are checked with their ranges; a program's only as far as what all have in
  // common.
  const std::string image = text_at(spec.definition, {"AlgorithmSpecification", "TrainingImage"});
  if (find_estimator(image)) return {};
  const auto checked = check_training(trial_request(spec, Trial{1, spec.job_name + "-001", {}}), context);
  if (!checked) return invalid("TrainingJobDefinition: " + checked.error().message, checked.error().hint);
  return {};
}

// What Describe… says of the trials that there are; `best`: the name of the best one, or empty.
Result<Json> tuning_fields(const TuningSpec& spec, const std::string& best, JobContext& context) {
  MR_TRY(records, trial_records(context.jobs(), spec));
  Json fields = counters(spec, records);
  if (best.empty()) return fields;
  fields["TuningResultsS3Uri"] = spec.results_uri();
  MR_TRY(record, context.jobs().find(kTrainingJob.kind, best));
  fields["BestTrainingJob"] = trial_summary(spec, record);
  return fields;
}

// Of a job that was stopped: the best of the trials that had ended, with their leaderboard and charts.
Result<Json> stopped_tuning(const TuningSpec& spec, JobContext& context) {
  MR_TRY(records, trial_records(context.jobs(), spec));
  std::vector<TrialRecord> trials = finished_trials(spec, records);
  std::erase_if(trials,
                [&](const TrialRecord& trial) { return !trial.outcome.metrics.contains(spec.metric); });
  const auto best = best_of(spec, trials);
  if (best) MR_DO(write_results(spec, trials, context.objects(), spec.results_uri()));
  MR_TRY(fields, tuning_fields(spec, best ? trials[*best].trial.job_name : "", context));
  fields[kStoppedEarly] = true;
  return fields;
}

Result<Json> work_tuning(const Json& request, JobContext& context) {
  MR_TRY(spec, parse_tuning_spec(request));
  MR_TRY(earlier, trial_records(context.jobs(), spec));
  MR_TRY(policy, cache_policy_of(request, context.call().cache));
  const RunTrial run = [&](const Trial& trial, const Json& trial_request, const TrainHooks& hooks) {
    return run_trial(spec, trial, trial_request, hooks, policy.text, context);
  };
  MR_TRY(experience, experience_of(context.jobs(), spec));
  MR_TRY(record, context.jobs().find(kTuningJob.kind, spec.job_name));
  const Instant begin = from_millis(record.value("CreationTime", std::int64_t{0}));
  const auto result = run_tuning(spec, finished_trials(spec, earlier), run, context, experience, begin);
  const bool stopped = !result && result.error().code == ErrorCode::Cancelled && !context.suspended();
  if (stopped) return stopped_tuning(spec, context);
  if (!result) return fail(result.error());
  MR_TRY(fields,
         tuning_fields(spec, result->best ? result->trials[*result->best].trial.job_name : "", context));
  fields["TuningResultsS3Uri"] = result->results_uri;
  return fields;
}

Result<Json> trials_of(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("HyperParameterTuningJobName"));
  MR_TRY(status, arguments.text_or("StatusEquals", ""));
  const Jobs& jobs = call.context.jobs();
  MR_TRY(tuning, jobs.find(kTuningJob.kind, name_of(kTuningJob, name)));
  MR_TRY(spec, parse_tuning_spec(tuning.at(kNotes).at("Request")));
  MR_TRY(records, jobs.records(kTrainingJob.kind, spec.job_name + "-", kTrialsMax));
  std::erase_if(records, [&](const Jobs::Record& record) {
    return text_in(record.document, "TuningJobArn") != tuning_arn(spec) ||
           (!status.empty() && text_in(record.document, "TrainingJobStatus") != status);
  });
  const std::vector<SortKey> keys = {{"CreationTime", "CreationTime"},
                                     {"Name", "TrainingJobName"},
                                     {"Status", "TrainingJobStatus"},
                                     {"FinalObjectiveMetricValue", kObjective}};
  MR_TRY(page,
         page_of(std::move(records), arguments, keys, [&](const Json& record, const std::string& member) {
           if (member != kObjective) return record.value(member, Json());
           const TrialOutcome outcome = outcome_of(record);
           const auto value = outcome.metrics.find(spec.metric);
           return value == outcome.metrics.end() ? Json() : Json(value->second);
         }));
  return page_answer("TrainingJobSummaries", page,
                     [&](const Json& record) { return trial_summary(spec, record); });
}

}  // namespace

Outcome list_training_jobs_of_tuning_job(TaskCall& call) {
  const auto answer = trials_of(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

const JobKind kTuningJobKind{kTuningJob, check_tuning, work_tuning};

}  // namespace millrace::tasks
