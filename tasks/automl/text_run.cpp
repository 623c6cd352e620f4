// AutoML over texts: candidates are training jobs of the image `text-ensemble` with one member, the winner
// one with the best of them. The algorithm reads the texts itself, so nothing is prepared.

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/artifacts/read_table.h"
#include "tasks/automl/automl_book.h"
#include "tasks/automl/requests.h"
#include "tasks/automl/text_candidates.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/processing/processors.h"
#include "tasks/script/run_script.h"
#include "tasks/text/text_ensemble.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_artifact.h"
#include "tasks/training/train.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kFoldTextsMax = 50'000;  // with more, a part is held out once
constexpr std::size_t kTextSelectionSteps = 50;
constexpr const char* kTextImage = "text-ensemble";

Status has_column(const Table& table, const char* field, const std::string& wanted) {
  if (table.find(wanted) != nullptr) return {};
  const std::vector<std::string> names = table.names();
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest_name(wanted, views);
  return invalid(std::string(field) + ": the data has no column \"" + wanted + "\"",
                 near.empty() ? "" : "did you mean \"" + std::string(near) + "\"?");
}

class TextRun {
 public:
  explicit TextRun(AutoMLBook& book) : book_(book), spec_(book.spec()), context_(book.context()) {}

  Result<Json> run() {
    MR_DO(explore());
    MR_DO(read_texts());
    MR_DO(book_.train_all("TrainingModels", [&](std::size_t i) { return train_candidate(i); }));
    MR_DO(put_together());
    const Candidate& best = book_.candidates()[*winner_of(rules_, book_.candidates())];
    WinningJobs jobs;
    jobs.train = request(best.name, best.members);
    return book_.finish(jobs);
  }

 private:
  Status explore() {
    MR_DO(book_.begin("AnalyzingData", 0));
    const Json probe =
        builtin_processing("probe", "prepare", Json::object(),
                           Json::array({Json::array({"train", spec_.train_input})}), spec_.place());
    MR_TRY(inputs, read_processing_inputs(probe, context_.objects()));
    CsvOptions csv;
    csv.types = {{spec_.text_column, Column::Type::Text}, {spec_.target, Column::Type::Text}};
    csv.missing = {""};
    csv.cancelled = [this] { return book_.cancelled(); };
    MR_TRY(table, read_channel_table(context_.objects(), inputs.inputs[0].source, csv));
    MR_DO(has_column(table, "ContentColumn", spec_.text_column));
    MR_DO(has_column(table, "TargetLabelColumn", spec_.target));
    AnalysisSettings settings;
    settings.target = spec_.target, settings.problem = Problem::Classes;
    settings.features = {spec_.text_column}, settings.types = {{spec_.text_column, "text"}};
    settings.cancelled = csv.cancelled;
    auto analysis = analyse_table(table, settings);
    if (!analysis) return fail(analysis.error());
    // The other columns are not looked at, and equal texts have equal labels: neither is worth a remark.
    std::erase_if(analysis->remarks, [](const DataRemark& remark) {
      return remark.text.starts_with("left out: not among") || remark.text.starts_with("predicts the target");
    });
    for (AnalysedColumn& column : analysis->columns)
      if (column.role == ColumnRole::LeftOut) column.reason = "not the ContentColumn";
    rules_.problem = analysis->problem;
    MR_TRY(objective, objective_for(spec_.objective.empty() ? "Accuracy" : spec_.objective, rules_.problem));
    rules_.objective = objective, rules_.image = kTextImage;
    once_ = !spec_.validation_input.is_null() || spec_.fraction_given || table.rows > kFoldTextsMax;
    context_.log(std::string(problem_name(rules_.problem)) + " of " + std::to_string(table.rows) +
                 " texts, " + std::to_string(analysis->classes.size()) + " classes");
    return book_.explored(analysis->remarks, exploration_page(*analysis, spec_.job_name),
                          static_cast<std::size_t>(spec_.candidates_max.value_or(kTextCandidatesDefault)));
  }

  Json request(const std::string& name, std::span<const EnsembleMember> members) const {
    Json parameters = {{"members", format_members(members)},
                       {"text_column", spec_.text_column},
                       {"target", spec_.target},
                       {"seed", std::to_string(spec_.seed)}};
    if (once_ && spec_.validation_input.is_null())
      parameters["validation_fraction"] = Json(spec_.validation_fraction).dump();
    if (!once_) parameters["folds"] = std::to_string(kAutoMLFolds);
    Json channels = Json::array();
    for (const auto& [channel, input] :
         {std::pair("train", &spec_.train_input), {"validation", &spec_.validation_input}}) {
      if (input->is_null()) continue;
      channels.push_back({{"ChannelName", channel},
                          {"ContentType", "text/csv"},
                          {"DataSource", {{"S3DataSource", {{"S3Uri", (*input)["S3Uri"]}}}}}});
    }
    Json job = {{"TrainingJobName", name},
                {"AlgorithmSpecification", {{"TrainingImage", kTextImage}}},
                {"HyperParameters", parameters},
                {"InputDataConfig", channels},
                {"OutputDataConfig", {{"S3OutputPath", join_uri(spec_.place(), "models")}}}};
    if (spec_.training_seconds_max > 0)
      job["StoppingCondition"]["MaxRuntimeInSeconds"] = spec_.training_seconds_max;
    return job;
  }

  // The texts as the training jobs see them.
  Status read_texts() {
    const EnsembleMember any = text_candidate(0, 2, spec_.seed);
    MR_TRY(spec, parse_training_spec(request("x", std::span(&any, 1))));
    ObjectChannels data;
    MR_TRY(train, read_channel_objects(spec.train, context_));
    data.train = std::move(train), data.target = spec.target;
    if (spec.validation) {
      MR_TRY(other, read_channel_objects(*spec.validation, context_));
      data.other = std::move(other);
    }
    MR_TRY(texts, hold_out_texts(spec.parameters, data, spec.seed));
    texts_ = std::move(texts);
    return {};
  }

  Status train_candidate(std::size_t index) {
    const EnsembleMember member = text_candidate(index, texts_.labels.size(), spec_.seed);
    const std::string name = book_.candidate_name(index);
    MR_TRY(record, book_.run_child(kTrainingJobKind, name, request(name, std::span(&member, 1)), true));
    Candidate candidate;
    candidate.name = name, candidate.members = {member};
    AutoMLBook::take_record(record, candidate);
    if (candidate.status == "Completed") {
      MR_TRY(model, LoadedModel::load(context_.objects(), candidate.model_uri));
      const auto* ensemble = dynamic_cast<const TextEnsembleModel*>(&model->model());
      if (ensemble == nullptr) return fail(ErrorCode::DataLoss, candidate.model_uri + " is no text-ensemble");
      MR_TRY(answers, held_out_answers(texts_, *ensemble->parts()[0]));
      MR_DO(judge(answers, candidate));
      parts_.push_back({book_.candidates().size(), ensemble->parts()[0], std::move(answers)});
    }
    return book_.add_candidate(std::move(candidate));
  }

  Status judge(const Matrix& answers, Candidate& candidate) const {
    return judge_answers(
        texts_.shape, texts_.held_y, answers, spec_.seed, [this] { return book_.cancelled(); }, candidate);
  }

  // As a training job that finds its members' models instead of fitting them.
  Status put_together() {
    if (parts_.size() < 2) return {};
    std::vector<Matrix> answers;
    for (const Part& part : parts_) answers.push_back(part.answers);
    std::vector<double> weights = select_weights(texts_.shape, answers, texts_.held_y, kTextSelectionSteps);
    Candidate candidate;
    candidate.name = book_.child_name("ensemble");
    std::vector<std::shared_ptr<const TextPart>> kept;
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
    MR_DO(judge(combine_predictions(texts_.shape, answers, weights), candidate));
    JobKind kind = kTrainingJobKind;
    const std::string like = book_.candidates()[parts_[0].candidate].model_uri;
    kind.work = [&](const Json& asked, JobContext& job) -> Result<Json> {
      const TextEnsembleModel model(texts_.labels, spec_.text_column, kept, kept_weights);
      return save_texts_ensemble(asked, model, candidate.metrics, like, job);
    };
    MR_TRY(record, book_.run_child(kind, candidate.name, request(candidate.name, candidate.members), false));
    AutoMLBook::take_record(record, candidate);
    return book_.add_candidate(std::move(candidate));
  }

  // The artifact: as the training job of the same hyperparameters would write it.
  Result<Json> save_texts_ensemble(const Json& asked, const TextEnsembleModel& model,
                                   const std::map<std::string, double>& metrics, const std::string& like,
                                   JobContext& job) const {
    MR_TRY(spec, parse_training_spec(asked));
    MR_TRY(first, LoadedModel::load(job.objects(), like));
    ModelFiles files;
    files.model_bytes = model.save();
    files.card = first->card();
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
    std::shared_ptr<const TextPart> part;
    Matrix answers;  // to the texts that are held out
  };

  AutoMLBook& book_;
  const AutoMLSpec& spec_;
  JobContext& context_;
  BoardRules& rules_ = book_.rules();
  bool once_ = false;
  HeldOutTexts texts_;
  std::vector<Part> parts_;
};

}  // namespace

Result<Json> run_automl_texts(AutoMLBook& book) {
  return TextRun(book).run();
}

}  // namespace millrace::tasks
