// AutoML over a table: analysis, preparation, candidates, the ensemble of the best of them.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/automl/automl_book.h"
#include "tasks/automl/candidates.h"
#include "tasks/automl/requests.h"
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

class TableRun {
 public:
  explicit TableRun(AutoMLBook& book) : book_(book), spec_(book.spec()), context_(book.context()) {}

  Result<Json> run() {
    MR_DO(analyse());
    if (spec_.definitions_only) return define();
    MR_DO(prepare());
    MR_DO(train_candidates());
    if (mode_ == AutoMLSpec::Mode::Ensembling) MR_DO(put_together());
    const Candidate& best = book_.candidates()[*winner_of(rules_, book_.candidates())];
    jobs_.train = requests_->training_request(best.name, best.members);
    return book_.finish(jobs_);
  }

 private:
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
    MR_DO(book_.begin("AnalyzingData", 0));
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
    context_.log(std::string(problem_name(analysis_.problem)) + " of " + std::to_string(table.rows) +
                 " rows, " + std::to_string(analysis_.features()) + " features");
    const auto candidates = static_cast<std::size_t>(spec_.candidates_max.value_or(
        mode_ == AutoMLSpec::Mode::Ensembling ? kCandidatesDefault : kTunedCandidatesDefault));
    rows_ = table.rows, features_ = analysis_.features();
    return book_.explored(analysis_.remarks, exploration_page(analysis_, spec_.job_name), candidates);
  }

  // GenerateCandidateDefinitionsOnly: the first candidates as one ensemble that chooses their weights.
  Result<Json> define() {
    MR_DO(book_.begin("FeatureEngineering", 0.5));
    const std::vector<EnsembleMember> members = first_candidates(setting(rows_, features_));
    jobs_.split = requests_->split_request();
    jobs_.prepare = requests_->prepare_request();
    jobs_.train = requests_->training_request(book_.child_name("ensemble"), members);
    jobs_.train.erase("StoppingCondition");
    return book_.finish_definitions(jobs_);
  }

  Status prepare() {
    MR_DO(book_.begin("FeatureEngineering", 0.05));
    jobs_.split = requests_->split_request();
    if (!jobs_.split.is_null()) MR_DO(book_.run_processing(jobs_.split));
    jobs_.prepare = requests_->prepare_request();
    MR_DO(book_.run_processing(jobs_.prepare));
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
    return {analysis_.problem, rows, features, analysis_.classes.size(), spec_.algorithms, spec_.seed};
  }

  Status train_candidates() {
    const CandidateSetting about = setting(rows_, features_);
    const std::vector<EnsembleMember> first = first_candidates(about);
    std::vector<CandidateResult> known;
    const auto train = [&](std::size_t i) -> Status {
      const EnsembleMember member = i < first.size() ? first[i] : suggested_candidate(about, known, i);
      MR_DO(run_candidate(member, i));
      CandidateResult result{member, std::nullopt};
      const Candidate& candidate = book_.candidates().back();
      const auto loss = candidate.metrics.find(std::string(rules_.loss_metric()));
      if (candidate.status == "Completed" && loss != candidate.metrics.end()) result.loss = loss->second;
      known.push_back(std::move(result));
      return {};
    };
    return book_.train_all(mode_ == AutoMLSpec::Mode::Ensembling ? "TrainingModels" : "ModelTuning", train);
  }

  Status run_candidate(const EnsembleMember& member, std::size_t index) {
    const std::string name = book_.candidate_name(index);
    MR_TRY(record, book_.run_child(kTrainingJobKind, name,
                                   requests_->training_request(name, std::span(&member, 1)), true));
    Candidate candidate;
    candidate.name = name, candidate.members = {member};
    AutoMLBook::take_record(record, candidate);
    if (candidate.status == "Completed") {
      MR_TRY(model, LoadedModel::load(context_.objects(), candidate.model_uri));
      const auto* ensemble = dynamic_cast<const EnsembleModel*>(&model->model());
      if (ensemble == nullptr) return fail(ErrorCode::DataLoss, candidate.model_uri + " is no ensemble");
      MR_TRY(predictions, held_out_predictions(shape_, *ensemble->parts()[0], held_.data.X, held_.fold_of));
      const std::vector<double> whole = {1.0};
      MR_DO(judge(combine_predictions(shape_, std::span(&predictions, 1), whole), candidate));
      parts_.push_back({book_.candidates().size(), ensemble->parts()[0], std::move(predictions)});
    }
    return book_.add_candidate(std::move(candidate));
  }

  Status judge(const Matrix& answers, Candidate& candidate) const {
    return judge_answers(
        shape_, held_.data.y, answers, spec_.seed, [this] { return context_.cancelled(); }, candidate);
  }

  // The ensemble of the candidates, as a training job that finds its members' models instead of fitting them.
  Status put_together() {
    if (parts_.size() < 2) return {};
    std::vector<Matrix> predictions;
    for (const Part& part : parts_) predictions.push_back(part.predictions);
    const std::vector<double> weights = select_weights(shape_, predictions, held_.data.y, kSelectionSteps);
    Candidate candidate;
    candidate.name = book_.child_name("ensemble");
    std::vector<std::shared_ptr<const EnsemblePart>> kept;
    std::vector<double> kept_weights;
    for (std::size_t m = 0; m < parts_.size(); ++m) {
      if (!(weights[m] > 0)) continue;
      candidate.members.push_back(book_.candidates()[parts_[m].candidate].members[0]);
      candidate.members.back().weight = weights[m];
      kept.push_back(parts_[m].part), kept_weights.push_back(weights[m]);
    }
    if (kept.size() < 2) return {};
    const double sum = std::accumulate(kept_weights.begin(), kept_weights.end(), 0.0);
    for (double& weight : kept_weights) weight /= sum;  // as training does with weights that are given
    const Matrix answers = combine_predictions(shape_, predictions, weights);
    MR_DO(judge(answers, candidate));
    JobKind kind = kTrainingJobKind;
    const std::string like = book_.candidates()[parts_[0].candidate].model_uri;
    kind.work = [&](const Json& request, JobContext& job) -> Result<Json> {
      const EnsembleModel model(shape_, kept, kept_weights);
      return save_ensemble(request, model, candidate.metrics, like, job);
    };
    MR_TRY(record, book_.run_child(kind, candidate.name,
                                   requests_->training_request(candidate.name, candidate.members), false));
    AutoMLBook::take_record(record, candidate);
    return book_.add_candidate(std::move(candidate));
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

  struct Part {
    std::size_t candidate;  // index
    std::shared_ptr<const EnsemblePart> part;
    Matrix predictions;  // held out
  };

  AutoMLBook& book_;
  const AutoMLSpec& spec_;
  JobContext& context_;
  BoardRules& rules_ = book_.rules();
  DataAnalysis analysis_;
  std::optional<AutoMLRequests> requests_;  // once the data is known
  AutoMLSpec::Mode mode_ = AutoMLSpec::Mode::Ensembling;
  std::size_t rows_ = 0, features_ = 0;
  WinningJobs jobs_;
  EnsembleShape shape_;
  HeldOut held_;
  std::vector<Part> parts_;
};

}  // namespace

Result<Json> run_automl_table(AutoMLBook& book) {
  return TableRun(book).run();
}

}  // namespace millrace::tasks
