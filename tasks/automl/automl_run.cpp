#include "tasks/automl/automl_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/automl/candidates.h"
#include "tasks/automl/leaderboard.h"
#include "tasks/automl/requests.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/processing/processors.h"
#include "tasks/script/run_script.h"
#include "tasks/training/channel_data.h"
#include "tasks/training/model_artifact.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kFoldRowsMax = 50'000;   // with more, a part is held out once
constexpr double kEnsemblingBytesMax = 100e6;  // of AUTO: numbers of the table, eight bytes each
constexpr std::size_t kSelectionSteps = 50;
constexpr std::uint64_t kIntervalSamples = 100;

// The surroundings of a job of ours: they end when ours are to end, or when time is up.
class CandidateContext final : public TaskContext {
 public:
  CandidateContext(TaskContext& outer, std::int64_t deadline_ms) : outer_(outer), deadline_ms_(deadline_ms) {}
  bool late() const { return deadline_ms_ > 0 && to_millis(outer_.clock().now()) >= deadline_ms_; }
  bool cancelled() const override { return outer_.cancelled() || late(); }
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

EnsembleTask ensemble_task(Problem problem) {
  return problem == Problem::Binary    ? EnsembleTask::Binary
         : problem == Problem::Classes ? EnsembleTask::Classes
                                       : EnsembleTask::Regression;
}

// The rows that candidates are judged by, and who judges which.
struct HeldOut {
  Dataset data;
  std::vector<std::uint32_t> fold_of;
};

class AutoMLRun {
 public:
  AutoMLRun(AutoMLSpec spec, JobContext& context, std::int64_t created_ms)
      : spec_(std::move(spec)),
        context_(context),
        deadline_ms_(spec_.job_seconds_max > 0 ? created_ms + spec_.job_seconds_max * 1000 : 0) {}

  Result<Json> run() {
    MR_DO(analyse());
    MR_DO(prepare());
    MR_DO(train_candidates());
    if (mode_ == AutoMLSpec::Mode::Ensembling) MR_DO(put_together());
    return finish();
  }

 private:
  std::string child_name(const std::string& suffix) const { return spec_.job_name + "-" + suffix; }
  Status modify(const std::function<void(Json&)>& change) {
    MR_DO(context_.jobs().modify(kAutoMLJob.kind, spec_.job_name, [&](Json& record) -> Status {
      change(record);
      record["LastModifiedTime"] = to_millis(context_.clock().now());
      return {};
    }));
    return {};
  }

  Status begin(const char* secondary, double fraction) {
    if (context_.cancelled()) return fail(ErrorCode::Cancelled, "the AutoML job was stopped");
    context_.log(secondary);
    report_progress(secondary, fraction);
    return modify([&](Json& record) { record["AutoMLJobSecondaryStatus"] = secondary; });
  }

  void report_progress(const char* phase, double fraction) {
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

  // A job of ours, run to its end in this thread or taken from its record.
  Result<Json> run_child(const JobKind& kind, const std::string& name, Json request, bool until_deadline) {
    request["AutoMLJobArn"] = entity_arn(kAutoMLJob, spec_.job_name);
    CandidateContext context(context_, until_deadline ? deadline_ms_ : 0);
    TaskCall call{request, context};
    call.key = "part of " + spec_.job_name + " " + context_.call().key;
    call.caller = "AutoML job " + spec_.job_name;
    call.sync = true;
    call.suspended = context_.call().suspended;
    call.stop_grace = context_.call().stop_grace;
    call.log_line = context_.call().log_line;
    call.hashes = context_.call().hashes;
    call.cents_per_hour = context_.call().cents_per_hour;
    MR_DO(ensure_job(kind, request, call));
    MR_TRY(record, finish_job(kind, name, call));
    if (context_.cancelled()) return fail(ErrorCode::Cancelled, "the AutoML job was stopped");
    return record;
  }

  // A processing job must come to its end.
  Status run_processing(const Json& request) {
    const std::string name = request["ProcessingJobName"];
    MR_TRY(record, run_child(kProcessingJobKind, name, request, false));
    if (text_in(record, "ProcessingJobStatus") == "Completed") return {};
    const std::string reason = text_in(record, "FailureReason");
    return invalid("the processing job " + name +
                   " did not complete: " + (reason.empty() ? "it was stopped" : reason));
  }

  Result<AnalysisSettings> analysis_settings() {
    AnalysisSettings settings;
    settings.target = spec_.target, settings.problem = spec_.problem;
    settings.cancelled = [this] { return context_.cancelled(); };
    if (spec_.features_uri.empty()) return settings;
    MR_TRY(text, context_.objects().read(spec_.features_uri));
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object())
      return invalid("FeatureSpecificationS3Uri: " + spec_.features_uri + " is no JSON object");
    const Arguments arguments(json, "FeatureSpecificationS3Uri");
    MR_TRY(names, arguments.texts("FeatureAttributeNames"));
    MR_TRY(types, arguments.text_map("FeatureDataTypes"));
    settings.features = std::move(names), settings.types = std::move(types);
    return settings;
  }

  Status analyse() {
    MR_DO(begin("AnalyzingData", 0));
    // The same reading of the request that the processing job does.
    const Json probe =
        builtin_processing("probe", "prepare", Json::object(),
                           Json::array({Json::array({"train", spec_.train_input})}), spec_.place());
    MR_TRY(inputs, read_processing_inputs(probe, context_.objects()));
    CsvOptions csv;
    csv.keep_spelling = true;
    csv.cancelled = [this] { return context_.cancelled(); };
    MR_TRY(table, read_channel_table(context_.objects(), inputs.inputs[0].source, csv));
    MR_TRY(settings, analysis_settings());
    MR_TRY(analysis, analyse_table(table, settings));
    analysis_ = std::move(analysis);
    MR_TRY(objective, objective_for(spec_.objective, analysis_.problem));
    rules_.problem = analysis_.problem, rules_.objective = objective;
    const double bytes = 8.0 * static_cast<double>(table.rows) * static_cast<double>(table.columns.size());
    mode_ = spec_.mode != AutoMLSpec::Mode::Auto ? spec_.mode
            : bytes <= kEnsemblingBytesMax       ? AutoMLSpec::Mode::Ensembling
                                                 : AutoMLSpec::Mode::Tuning;
    requests_.emplace(spec_, analysis_, spec_.validation_input.is_null() && table.rows > kFoldRowsMax);
    candidates_max_ = static_cast<std::size_t>(spec_.candidates_max.value_or(
        mode_ == AutoMLSpec::Mode::Ensembling ? kCandidatesDefault : kTunedCandidatesDefault));
    context_.log(std::string(problem_name(analysis_.problem)) + " of " + std::to_string(table.rows) +
                 " rows, " + std::to_string(analysis_.features()) + " features");
    for (const DataRemark& remark : analysis_.remarks)
      context_.log(remark.severity + ": " +
                   (remark.column.empty() ? "" : "column \"" + remark.column + "\": ") + remark.text);
    MR_DO(context_.objects().write(join_uri(spec_.place(), "data_exploration.html"),
                                   exploration_page(analysis_, spec_.job_name)));
    return modify([&](Json& record) {
      const Json type = problem_name(analysis_.problem);
      Json resolved = {{"AutoMLJobObjective", {{"MetricName", rules_.objective.name}}},
                       {"CompletionCriteria", {{"MaxCandidates", candidates_max_}}}};
      if (record.contains("AutoMLProblemTypeConfig"))
        resolved["AutoMLProblemTypeResolvedAttributes"]["TabularResolvedAttributes"]["ProblemType"] = type;
      else
        resolved["ProblemType"] = type;
      record["ResolvedAttributes"] = std::move(resolved);
      record["AutoMLJobArtifacts"] = {
          {"DataExplorationNotebookLocation", join_uri(spec_.place(), "data_exploration.html")}};
    });
  }

  Status prepare() {
    MR_DO(begin("FeatureEngineering", 0.05));
    jobs_.split = requests_->split_request();
    if (!jobs_.split.is_null()) MR_DO(run_processing(jobs_.split));
    jobs_.prepare = requests_->prepare_request();
    MR_DO(run_processing(jobs_.prepare));
    rules_.prepare_job = jobs_.prepare["ProcessingJobName"];
    return read_held_out();
  }

  // The rows as the training jobs see them.
  Status read_held_out() {
    MR_TRY(spec, parse_training_spec(requests_->training_request("x", first_candidates(setting(1, 1)))));
    const auto cancelled = [this] { return context_.cancelled(); };
    MR_TRY(train, read_channel(context_.objects(), spec, spec.train, nullptr, cancelled));
    rows_ = train.data.X.rows, features_ = train.data.X.cols;
    shape_.task = ensemble_task(analysis_.problem), shape_.features = features_;
    if (analysis_.problem == Problem::Classes) shape_.classes = analysis_.classes.size();
    const auto [least, most] = std::ranges::minmax(train.data.y);
    if (analysis_.problem == Problem::Regression) shape_.least = least, shape_.most = most;
    if (requests_->once()) {
      MR_TRY(validation, read_channel(context_.objects(), spec, *spec.validation, &train, cancelled));
      held_.data = std::move(validation.data);
      held_.fold_of.assign(held_.data.X.rows, 0);
      return {};
    }
    held_.fold_of = assign_folds(train.data.y, analysis_.problem == Problem::Regression ? 0 : shape_.classes,
                                 std::min(kAutoMLFolds, rows_), spec_.seed);
    held_.data = std::move(train.data);
    return {};
  }

  CandidateSetting setting(std::size_t rows, std::size_t features) const {
    return {analysis_.problem, rows, features, spec_.algorithms, spec_.seed};
  }

  bool out_of_time() const { return CandidateContext(context_, deadline_ms_).late(); }

  Status train_candidates() {
    MR_DO(begin(mode_ == AutoMLSpec::Mode::Ensembling ? "TrainingModels" : "ModelTuning", 0.1));
    const CandidateSetting about = setting(rows_, features_);
    const std::vector<EnsembleMember> first = first_candidates(about);
    std::vector<CandidateResult> known;
    for (std::size_t i = 0; i < candidates_max_; ++i) {
      if (out_of_time()) {
        ended_by_ = "MaxAutoMLJobRuntimeReached";
        context_.log("MaxAutoMLJobRuntimeInSeconds is over: no more candidates");
        break;
      }
      const EnsembleMember member = i < first.size() ? first[i] : suggested_candidate(about, known, i);
      MR_DO(run_candidate(member, i));
      CandidateResult result{member, std::nullopt};
      const auto loss = candidates_.back().metrics.find(std::string(rules_.loss_metric()));
      if (candidates_.back().status == "Completed" && loss != candidates_.back().metrics.end())
        result.loss = loss->second;
      known.push_back(std::move(result));
      report_progress(mode_ == AutoMLSpec::Mode::Ensembling ? "TrainingModels" : "ModelTuning",
                      0.1 + 0.8 * static_cast<double>(i + 1) / static_cast<double>(candidates_max_));
    }
    if (winner_of(rules_, candidates_)) return {};
    for (const Candidate& candidate : candidates_)
      if (!candidate.failure.empty())
        return invalid("no candidate completed; " + candidate.name + ": " + candidate.failure);
    return invalid("no candidate completed in the time there was", "allow more time");
  }

  Status run_candidate(const EnsembleMember& member, std::size_t index) {
    const std::string number = std::to_string(index + 1);
    const std::string name = child_name((number.size() < 2 ? "c0" : "c") + number);
    MR_TRY(record,
           run_child(kTrainingJobKind, name, requests_->training_request(name, std::span(&member, 1)), true));
    Candidate candidate;
    candidate.name = name, candidate.members = {member};
    take_record(record, candidate);
    if (candidate.status == "Completed") {
      MR_TRY(model, LoadedModel::load(context_.objects(), candidate.model_uri));
      const auto* ensemble = dynamic_cast<const EnsembleModel*>(&model->model());
      if (ensemble == nullptr) return fail(ErrorCode::DataLoss, candidate.model_uri + " is no ensemble");
      MR_TRY(predictions, held_out_predictions(shape_, *ensemble->parts()[0], held_.data.X, held_.fold_of));
      const std::vector<double> whole = {1.0};
      MR_DO(judge(combine_predictions(shape_, std::span(&predictions, 1), whole), candidate));
      parts_.push_back({candidates_.size(), ensemble->parts()[0], std::move(predictions)});
    }
    return add_candidate(std::move(candidate));
  }

  void take_record(const Json& record, Candidate& candidate) const {
    candidate.status = text_in(record, "TrainingJobStatus");
    candidate.failure = text_in(record, "FailureReason");
    if (candidate.status == "Stopped" && candidate.failure.empty()) candidate.failure = "it ran out of time";
    candidate.model_uri = text_at(record, {"ModelArtifacts", "S3ModelArtifacts"});
    candidate.created_ms = record.value("CreationTime", std::int64_t{0});
    candidate.ended_ms = record.value("TrainingEndTime", candidate.created_ms);
  }

  // Metrics of held-out answers and how far they would be off on other rows like these.
  Status judge(const Matrix& answers, Candidate& candidate) const {
    candidate.metrics = ensemble_metrics(shape_, held_.data.y, answers);
    EvaluationSettings settings;
    settings.task = shape_.task == EnsembleTask::Binary    ? "binary"
                    : shape_.task == EnsembleTask::Classes ? "multiclass"
                                                           : "regression";
    settings.samples = kIntervalSamples, settings.seed = spec_.seed;
    settings.cancelled = [this] { return context_.cancelled(); };
    MR_TRY(evaluation, evaluate(held_.data.y, answers, settings));
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

  // Into the record, in the candidates' order; what an earlier run wrote of it is replaced.
  Status add_candidate(Candidate candidate) {
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

  std::string summary(const Candidate& candidate) const {
    const auto value = candidate.metrics.find(std::string(rules_.objective.metric));
    const std::string what = candidate.is_ensemble() ? std::to_string(candidate.members.size()) + " members"
                                                     : describe_member(candidate.members[0]);
    return value == candidate.metrics.end()
               ? candidate.failure + " (" + what + ")"
               : std::string(rules_.objective.name) + " " + Json(value->second).dump() + " with " + what;
  }

  // The ensemble of the candidates, as a training job that finds its members' models instead of fitting them.
  Status put_together() {
    if (parts_.size() < 2) return {};
    std::vector<Matrix> predictions;
    for (const Part& part : parts_) predictions.push_back(part.predictions);
    const std::vector<double> weights = select_weights(shape_, predictions, held_.data.y, kSelectionSteps);
    Candidate candidate;
    candidate.name = child_name("ensemble");
    std::vector<std::shared_ptr<const EnsemblePart>> kept;
    std::vector<double> kept_weights;
    for (std::size_t m = 0; m < parts_.size(); ++m) {
      if (!(weights[m] > 0)) continue;
      candidate.members.push_back(candidates_[parts_[m].candidate].members[0]);
      candidate.members.back().weight = weights[m];
      kept.push_back(parts_[m].part), kept_weights.push_back(weights[m]);
    }
    if (kept.size() < 2) return {};
    const double sum = std::accumulate(kept_weights.begin(), kept_weights.end(), 0.0);
    for (double& weight : kept_weights) weight /= sum;  // as training does with weights that are given
    const Matrix answers = combine_predictions(shape_, predictions, weights);
    MR_DO(judge(answers, candidate));
    JobKind kind = kTrainingJobKind;
    const std::string like = candidates_[parts_[0].candidate].model_uri;
    kind.work = [&](const Json& request, JobContext& job) -> Result<Json> {
      const EnsembleModel model(shape_, kept, kept_weights);
      return save_ensemble(request, model, candidate.metrics, like, job);
    };
    MR_TRY(record, run_child(kind, candidate.name,
                             requests_->training_request(candidate.name, candidate.members), false));
    take_record(record, candidate);
    return add_candidate(std::move(candidate));
  }

  // The artifact: as the training job of the same hyperparameters would write it.
  Result<Json> save_ensemble(const Json& request, const EnsembleModel& model,
                             const std::map<std::string, double>& metrics, const std::string& like,
                             JobContext& job) const {
    MR_TRY(spec, parse_training_spec(request));
    MR_TRY(first, LoadedModel::load(job.objects(), like));
    ModelFiles files;
    files.model_bytes = model.save();
    files.card = first->card();
    files.pipeline = Json::parse(first->pipeline_text(), nullptr, false);
    std::int64_t rounds = 0;
    for (const auto& part : model.parts()) rounds += static_cast<std::int64_t>(part->folds.size());
    files.card["hyperparameters"] = spec.parameters;
    files.card["metrics"] = metrics;
    files.card["rounds"] = rounds;
    files.card["model_sha256"] = digest_hex(Digest::Sha256, files.model_bytes);
    MR_DO(save_model(job.objects(), spec.model_uri(), files));
    return Json{{"ModelArtifacts", {{"S3ModelArtifacts", spec.model_uri()}}},
                {"FinalMetricDataList", final_metrics(metrics, to_millis(job.clock().now()))}};
  }

  Result<Json> finish() {
    const std::size_t best = *winner_of(rules_, candidates_);
    MR_DO(begin("GeneratingModelInsightsReport", 0.95));
    jobs_.train = requests_->training_request(candidates_[best].name, candidates_[best].members);
    jobs_.train.erase("StoppingCondition");
    const Json workflow = winning_workflow(jobs_, join_uri(spec_.place(), "workflow"),
                                           "The best candidate of the AutoML job " + spec_.job_name +
                                               ", from the raw rows to a model. Edit and run it.");
    const std::string workflow_uri = join_uri(spec_.place(), "workflow.asl.json"),
                      board_uri = join_uri(spec_.place(), "leaderboard.html");
    MR_DO(context_.objects().write(workflow_uri, workflow.dump(2) + "\n"));
    MR_DO(context_.objects().write(board_uri, leaderboard_page(spec_, rules_, candidates_, best)));
    Json fields = {{"BestCandidate", candidate_document(rules_, candidates_[best])},
                   {"AutoMLJobSecondaryStatus", ended_by_},
                   {"AutoMLJobArtifacts",
                    {{"CandidateDefinitionNotebookLocation", workflow_uri},
                     {"DataExplorationNotebookLocation", join_uri(spec_.place(), "data_exploration.html")},
                     {"LeaderboardLocation", board_uri}}}};
    fields["BestCandidate"]["CandidateProperties"]["CandidateArtifactLocations"]["ModelInsights"] = board_uri;
    return fields;
  }

  struct Part {
    std::size_t candidate;  // index
    std::shared_ptr<const EnsemblePart> part;
    Matrix predictions;  // held out
  };

  const AutoMLSpec spec_;
  JobContext& context_;
  const std::int64_t deadline_ms_;
  DataAnalysis analysis_;
  std::optional<AutoMLRequests> requests_;  // once the data is known
  AutoMLSpec::Mode mode_ = AutoMLSpec::Mode::Ensembling;
  std::size_t candidates_max_ = 0, rows_ = 0, features_ = 0;
  BoardRules rules_;
  WinningJobs jobs_;
  EnsembleShape shape_;
  HeldOut held_;
  std::vector<Candidate> candidates_;
  std::vector<Part> parts_;
  std::string ended_by_ = "Completed";
};

}  // namespace

Result<Json> run_automl(AutoMLSpec spec, JobContext& context, std::int64_t created_ms) {
  return AutoMLRun(std::move(spec), context, created_ms).run();
}

}  // namespace millrace::tasks
