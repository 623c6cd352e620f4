#include "tasks/automl/automl_book.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/automl/candidates.h"
#include "tasks/deployment/models.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/jobs/job_kinds.h"

namespace millrace::tasks {
namespace {

constexpr std::uint64_t kIntervalSamples = 100;
constexpr double kTrainingFrom = 0.1, kTrainingShare = 0.8;  // of the job's progress

// The surroundings of a job of ours: they end when ours are to end, or when time is up.
class CandidateContext final : public TaskContext {
 public:
  CandidateContext(TaskContext& outer, std::int64_t deadline_ms) : outer_(outer), deadline_ms_(deadline_ms) {}
  bool cancelled() const override {
    return outer_.cancelled() || (deadline_ms_ > 0 && to_millis(outer_.clock().now()) >= deadline_ms_);
  }
  void progress(const Progress&) override {}
  void log(std::string_view line) override { outer_.log(line); }
  ObjectStore& objects() override { return outer_.objects(); }
  Jobs& jobs() override { return outer_.jobs(); }
  const Clock& clock() const override { return outer_.clock(); }
  std::uint64_t seed() const override { return outer_.seed(); }
  int threads() const override { return outer_.threads(); }

 private:
  TaskContext& outer_;
  const std::int64_t deadline_ms_;  // since 1970; 0: none
};

// A call of ours with what the job's own has of the home.
TaskCall child_call(const Json& request, TaskContext& context, const TaskCall& outer,
                    const std::string& job) {
  TaskCall call{request, context};
  call.key = "part of " + job + " " + outer.key;
  call.caller = "AutoML job " + job;
  call.sync = true;
  call.suspended = outer.suspended;
  call.stop_grace = outer.stop_grace;
  call.log_line = outer.log_line;
  call.endpoints = outer.endpoints;
  call.functions = outer.functions;
  call.ids = outer.ids;
  call.hashes = outer.hashes;
  call.cents_per_hour = outer.cents_per_hour;
  return call;
}

}  // namespace

std::string AutoMLBook::candidate_name(std::size_t index) const {
  const std::string number = std::to_string(index + 1);
  return child_name((number.size() < 2 ? "c0" : "c") + number);
}

Status AutoMLBook::modify(const std::function<void(Json&)>& change) {
  MR_DO(context_.jobs().modify(kAutoMLJob.kind, spec_.job_name, [&](Json& record) -> Status {
    change(record);
    record["LastModifiedTime"] = to_millis(context_.clock().now());
    return {};
  }));
  return {};
}

Status AutoMLBook::begin(const char* secondary, double fraction) {
  if (cancelled()) return fail(ErrorCode::Cancelled, "the AutoML job was stopped");
  context_.log(secondary);
  report_progress(secondary, fraction);
  return modify([&](Json& record) { record["AutoMLJobSecondaryStatus"] = secondary; });
}

void AutoMLBook::report_progress(const char* phase, double fraction) {
  Progress progress;
  progress.phase = phase, progress.fraction = fraction;
  if (const auto best = winner_of(rules_, candidates_)) {
    progress.metric = rules_.objective.metric;
    progress.value = candidates_[*best].metrics.at(progress.metric);
  }
  if (candidates_max_ > 0) {
    progress.round = static_cast<std::int64_t>(candidates_.size());
    progress.rounds = static_cast<std::int64_t>(candidates_max_);
  }
  context_.progress(progress);
}

Status AutoMLBook::explored(const std::vector<DataRemark>& remarks, const std::string& page,
                            std::size_t candidates_max) {
  candidates_max_ = candidates_max;
  for (const DataRemark& remark : remarks)
    context_.log(remark.severity + ": " +
                 (remark.column.empty() ? "" : "column \"" + remark.column + "\": ") + remark.text);
  const std::string uri = join_uri(spec_.place(), "data_exploration.html");
  MR_DO(context_.objects().write(uri, page));
  return modify([&](Json& record) {
    Json resolved = {{"AutoMLJobObjective", {{"MetricName", rules_.objective.name}}},
                     {"CompletionCriteria", {{"MaxCandidates", candidates_max_}}}};
    const Json type = problem_name(rules_.problem);
    if (!record.contains("AutoMLProblemTypeConfig"))
      resolved["ProblemType"] = type;
    else if (spec_.kind == AutoMLSpec::Kind::Table)
      resolved["AutoMLProblemTypeResolvedAttributes"]["TabularResolvedAttributes"]["ProblemType"] = type;
    record["ResolvedAttributes"] = std::move(resolved);
    record["AutoMLJobArtifacts"] = {{"DataExplorationNotebookLocation", uri}};
  });
}

Result<Json> AutoMLBook::run_child(const JobKind& kind, const std::string& name, Json request,
                                   bool until_deadline) {
  request["AutoMLJobArn"] = entity_arn(kAutoMLJob, spec_.job_name);
  CandidateContext context(context_, until_deadline ? deadline_ms_ : 0);
  TaskCall call = child_call(request, context, context_.call(), spec_.job_name);
  MR_DO(ensure_job(kind, request, call));
  MR_TRY(record, finish_job(kind, name, call));
  if (cancelled()) return fail(ErrorCode::Cancelled, "the AutoML job was stopped");
  return record;
}

Status AutoMLBook::run_processing(const Json& request) {
  const std::string name = request["ProcessingJobName"];
  MR_TRY(record, run_child(kProcessingJobKind, name, request, false));
  if (text_in(record, "ProcessingJobStatus") == "Completed") return {};
  const std::string reason = text_in(record, "FailureReason");
  return invalid("the processing job " + name +
                 " did not complete: " + (reason.empty() ? "it was stopped" : reason));
}

bool AutoMLBook::late() const {
  return deadline_ms_ > 0 && to_millis(context_.clock().now()) >= deadline_ms_;
}

Status AutoMLBook::train_all(const char* phase, const std::function<Status(std::size_t)>& train) {
  MR_DO(begin(phase, kTrainingFrom));
  for (std::size_t i = 0; i < candidates_max_; ++i) {
    if (late()) {
      ended_by_ = "MaxAutoMLJobRuntimeReached";
      context_.log("MaxAutoMLJobRuntimeInSeconds is over: no more candidates");
      break;
    }
    MR_DO(train(i));
    report_progress(phase, kTrainingFrom + kTrainingShare * static_cast<double>(i + 1) /
                                               static_cast<double>(candidates_max_));
  }
  if (winner_of(rules_, candidates_)) return {};
  for (const Candidate& candidate : candidates_)
    if (!candidate.failure.empty())
      return invalid("no candidate completed; " + candidate.name + ": " + candidate.failure);
  return invalid("no candidate completed in the time there was", "allow more time");
}

void AutoMLBook::take_record(const Json& record, Candidate& candidate) {
  candidate.status = text_in(record, "TrainingJobStatus");
  candidate.failure = text_in(record, "FailureReason");
  if (candidate.status == "Stopped" && candidate.failure.empty()) candidate.failure = "it ran out of time";
  candidate.model_uri = text_at(record, {"ModelArtifacts", "S3ModelArtifacts"});
  candidate.created_ms = record.value("CreationTime", std::int64_t{0});
  candidate.ended_ms = record.value("TrainingEndTime", candidate.created_ms);
}

// Into the record, in the candidates' order; what an earlier run wrote of it is replaced.
Status AutoMLBook::add_candidate(Candidate candidate) {
  candidates_.push_back(std::move(candidate));
  const auto best = winner_of(rules_, candidates_);
  context_.log(candidates_.back().name + " " + candidates_.back().status + ": " +
               summary(candidates_.back()));
  return modify([&](Json& record) {
    Json documents = Json::array();
    for (const Candidate& one : candidates_) documents.push_back(candidate_document(rules_, one));
    record[kNotes][kCandidateDocuments] = std::move(documents);
    if (best) record["BestCandidate"] = candidate_document(rules_, candidates_[*best]);
    Json reasons = Json::array();
    for (const Candidate& one : candidates_)
      if (one.status == "Failed")
        reasons.push_back({{"PartialFailureMessage", one.name + ": " + one.failure}});
    if (!reasons.empty()) record["PartialFailureReasons"] = std::move(reasons);
  });
}

std::string AutoMLBook::summary(const Candidate& candidate) const {
  const auto value = candidate.metrics.find(std::string(rules_.objective.metric));
  const std::string what = candidate.is_ensemble() ? std::to_string(candidate.members.size()) + " members"
                                                   : describe_member(candidate.members[0]);
  return value == candidate.metrics.end()
             ? candidate.failure + " (" + what + ")"
             : std::string(rules_.objective.name) + " " + Json(value->second).dump() + " with " + what;
}

Result<Json> AutoMLBook::finish(WinningJobs jobs, const std::string& final_job,
                                const std::string& model_uri) {
  Candidate winner = candidates_[*winner_of(rules_, candidates_)];
  if (!model_uri.empty()) winner.model_uri = model_uri;
  MR_DO(begin("GeneratingModelInsightsReport", 0.95));
  jobs.train.erase("StoppingCondition");
  const Json workflow = winning_workflow(jobs, join_uri(spec_.place(), "workflow"),
                                         "The best candidate of the AutoML job " + spec_.job_name +
                                             ", from the raw rows to a model. Edit and run it.");
  const std::string workflow_uri = join_uri(spec_.place(), "workflow.asl.json"),
                    board_uri = join_uri(spec_.place(), "leaderboard.html");
  MR_DO(context_.objects().write(workflow_uri, workflow.dump(2) + "\n"));
  MR_DO(context_.objects().write(
      board_uri, leaderboard_page(spec_, rules_, candidates_, winner_of(rules_, candidates_))));
  Json best = candidate_document(rules_, winner);
  if (!final_job.empty())
    best["CandidateSteps"].push_back({{"CandidateStepType", "AWS::SageMaker::TrainingJob"},
                                      {"CandidateStepArn", entity_arn(kTrainingJob, final_job)},
                                      {"CandidateStepName", final_job}});
  best["CandidateProperties"]["CandidateArtifactLocations"]["ModelInsights"] = board_uri;
  Json fields = {{"BestCandidate", std::move(best)},
                 {"AutoMLJobSecondaryStatus", ended_by_},
                 {"AutoMLJobArtifacts",
                  {{"CandidateDefinitionNotebookLocation", workflow_uri},
                   {"DataExplorationNotebookLocation", join_uri(spec_.place(), "data_exploration.html")},
                   {"LeaderboardLocation", board_uri}}}};
  if (spec_.deploy) MR_DO(deploy(winner, fields));
  return fields;
}

Result<Json> AutoMLBook::finish_definitions(const WinningJobs& jobs) {
  const std::string uri = join_uri(spec_.place(), "workflow.asl.json");
  const Json workflow = winning_workflow(jobs, join_uri(spec_.place(), "workflow"),
                                         "Candidates of the AutoML job " + spec_.job_name +
                                             ", from the raw rows to an ensemble of them. Edit and run it.");
  MR_DO(context_.objects().write(uri, workflow.dump(2) + "\n"));
  return Json{{"AutoMLJobSecondaryStatus", "CandidateDefinitionsGenerated"},
              {"AutoMLJobArtifacts",
               {{"CandidateDefinitionNotebookLocation", uri},
                {"DataExplorationNotebookLocation", join_uri(spec_.place(), "data_exploration.html")}}}};
}

// Model, configuration and endpoint, each unless it is there already, made by this job before a crash. That
// it can't be deployed is no failure of the job, as with SageMaker.
Status AutoMLBook::deploy(const Candidate& winner, Json& fields) {
  MR_DO(begin("DeployingModel", 0.98));
  const std::string name = spec_.endpoint();
  const Json variant = {{"VariantName", "AllTraffic"},
                        {"ModelName", name},
                        {"InitialInstanceCount", 1},
                        {"InstanceType", "ml.m5.large"}};
  const Json containers = Json::array({{{"Image", rules_.image}, {"ModelDataUrl", winner.model_uri}}});
  struct Step {
    const EntityKind& kind;
    Outcome (*run)(TaskCall&);
    Json request;
  };
  const Step steps[] = {
      {kModel, create_model, {{"ModelName", name}, {"Containers", containers}}},
      {kEndpointConfig,
       create_endpoint_config,
       {{"EndpointConfigName", name}, {"ProductionVariants", Json::array({variant})}}},
      {kEndpoint, create_endpoint, {{"EndpointName", name}, {"EndpointConfigName", name}}},
  };
  for (const Step& step : steps) {
    TaskCall call = child_call(step.request, context_, context_.call(), spec_.job_name);
    call.key += " " + std::string(step.kind.kind);
    const Outcome made = step.run(call);
    if (made) continue;
    context_.log("the model could not be deployed: " + made.error().cause);
    fields["AutoMLJobSecondaryStatus"] = "ModelDeploymentError";
    fields["PartialFailureReasons"] = Json::array(
        {{{"PartialFailureMessage", std::string(step.kind.kind) + " " + name + ": " + made.error().cause}}});
    return {};
  }
  fields["ModelDeployResult"] = {{"EndpointName", name}};
  return {};
}

Status judge_answers(const EnsembleShape& shape, const std::vector<double>& y, const Matrix& answers,
                     std::uint64_t seed, const std::function<bool()>& cancelled, Candidate& candidate) {
  candidate.metrics = ensemble_metrics(shape, y, answers);
  EvaluationSettings settings;
  settings.task = shape.task == EnsembleTask::Binary    ? "binary"
                  : shape.task == EnsembleTask::Classes ? "multiclass"
                                                        : "regression";
  settings.samples = kIntervalSamples, settings.seed = seed;
  settings.cancelled = cancelled;
  MR_TRY(evaluation, evaluate(y, answers, settings));
  for (const auto& [group, metrics] : evaluation.report.items()) {
    if (!group.ends_with("_metrics")) continue;
    for (const auto& [name, value] : metrics.items()) {
      const std::string full = "validation:" + name;
      if (candidate.metrics.contains(full) && value.contains("standard_deviation"))
        candidate.deviations[full] = value["standard_deviation"].get<double>();
    }
  }
  return {};
}

}  // namespace millrace::tasks
