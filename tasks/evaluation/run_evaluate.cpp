// The job around evaluate(): a test channel and one or two models.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/column_pipeline.h"
#include "tasks/training/model_artifact.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kRowsPerStep = 65'536;
constexpr std::string_view kTasks[] = {"binary", "multiclass", "regression"};

struct Scored {
  std::vector<double> labels;
  Matrix predictions;
  EvaluationSettings settings;  // task and classes
};

Result<TargetInfo> target_of(const ObjectStore& objects, const std::string& uri, const Json& card) {
  TargetInfo target{card.value("target", std::string()), card.value("classes", std::vector<std::string>())};
  if (!card.value("pipeline", false)) return target;
  MR_TRY(text, objects.read(join_uri(uri, "pipeline.json")));
  MR_TRY(parsed, Payload::parse(text));
  MR_TRY(pipeline, ColumnPipeline::load(to_json(parsed.view())));
  return pipeline->target();
}

// Rows that already hold the model's features (prepare wrote them), as the matrix it was trained on.
Result<Matrix> features_of(const Table& rows, const std::vector<std::string>& names) {
  Matrix out(rows.rows, names.size());
  for (std::size_t c = 0; c < names.size(); ++c) {
    MR_TRY(column, as_numbers(*rows.find(names[c])));
    for (std::size_t i = 0; i < rows.rows; ++i) out.at(i, c) = static_cast<float>(column.numbers[i]);
  }
  return out;
}

// Predictions in steps, so that stopping takes effect within a moment.
Result<Matrix> predict(const Model& model, const Matrix& X, TaskContext& context) {
  Matrix out;
  for (std::size_t first = 0; first < X.rows; first += kRowsPerStep) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "evaluate was cancelled");
    MR_TRY(part, model.predict(MatrixView(X).slice(first, std::min(kRowsPerStep, X.rows - first))));
    out.cols = part.cols;
    out.values.insert(out.values.end(), part.values.begin(), part.values.end());
    report(context, "Predicting", -1, static_cast<std::int64_t>(first));
  }
  out.rows = X.rows;
  return out;
}

// `prepared`: the rows hold features already, not raw columns.
Result<Scored> score(const std::string& uri, const Table& rows, bool prepared, TaskContext& context) {
  Scored out;
  MR_TRY(model, LoadedModel::load(context.objects(), uri));
  try {
    const Json& card = model->card();
    out.settings.task = card.value("task", std::string("regression"));
    if (!std::ranges::count(kTasks, out.settings.task)) {
      return invalid(uri + " is a model of " + std::string(model->model().algorithm()) +
                         ", which predicts no target that it could be judged by",
                     "its training job reports its metrics on a channel named test");
    }
    MR_TRY(target, target_of(context.objects(), uri, card));
    out.settings.classes = target.classes;
    const auto names = card.value("features", std::vector<std::string>());
    const bool has_pipeline = card.value("pipeline", false);
    if (has_pipeline && prepared) target.classes.clear();  // prepare wrote class numbers
    MR_TRY(labels, read_target(target, rows));
    out.labels = std::move(labels);
    if (!has_pipeline || prepared) {
      for (const std::string& name : names) {
        if (rows.find(name) == nullptr)
          return invalid("the test data has no column \"" + name + "\", which the model needs");
      }
      MR_TRY(X, features_of(rows, names));
      MR_TRY(predictions, predict(model->model(), X, context));
      out.predictions = std::move(predictions);
    } else {
      MR_TRY(predictions, model->predict(rows));
      out.predictions = std::move(predictions);
    }
  } catch (const Json::exception& error) {
    return fail(ErrorCode::DataLoss, uri + "/model_card.json can't be read: " + error.what());
  }
  return out;
}

Status read_settings(const Json& json, std::uint64_t seed, EvaluationSettings& out) {
  const Arguments arguments(json);
  MR_DO(check_setting_names(json, {"threshold", "bootstrap", "seed"}, "evaluate"));
  MR_TRY(threshold, arguments.real_or("threshold", 0.5));
  MR_TRY(samples, arguments.integer_or("bootstrap", 200));
  MR_TRY(given, arguments.integer_or("seed", static_cast<std::int64_t>(seed)));
  if (samples < 0 || samples > 100'000) return arguments.wrong("bootstrap", "must be between 0 and 100000");
  if (!(threshold >= 0 && threshold <= 1)) return arguments.wrong("threshold", "must be between 0 and 1");
  out.threshold = threshold;
  out.samples = static_cast<std::uint64_t>(samples);
  out.seed = static_cast<std::uint64_t>(given);
  return {};
}

}  // namespace

Status check_evaluate(const ProcessingInputs& inputs) {
  EvaluationSettings settings;
  MR_DO(read_settings(inputs.settings, 0, settings));
  for (const char* name : {"test", "model"}) {
    if (inputs.input(name) == nullptr)
      return invalid("ProcessingInputs: evaluate needs an input named \"" + std::string(name) + "\"");
  }
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: evaluate needs one output");
  return {};
}

Result<Json> run_evaluate(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_evaluate(inputs));
  MR_TRY(rows, read_channel(*inputs.input("test"), context, 0.2));
  // prepare leaves its pipeline beside the rows it writes.
  const bool prepared =
      context.objects().read(join_uri(inputs.input("test")->uri, kPipelineObject)).has_value();
  MR_TRY(scored, score(inputs.input("model")->uri, rows, prepared, context));
  EvaluationSettings settings = scored.settings;
  MR_DO(read_settings(inputs.settings, context.seed(), settings));
  settings.cancelled = [&] { return context.cancelled(); };
  report(context, "Evaluating", 0.5, static_cast<std::int64_t>(rows.rows));
  MR_TRY(evaluation, evaluate(scored.labels, scored.predictions, settings));
  if (const NamedUri* champion = inputs.input("champion")) {
    MR_TRY(other, score(champion->uri, rows, prepared, context));
    if (other.settings.task != settings.task || other.labels != scored.labels) {
      return invalid("champion and model do not predict the same target");
    }
    MR_TRY(comparison, compare(scored.labels, scored.predictions, other.predictions, settings));
    evaluation.report["comparison"] = std::move(comparison);
  }
  const std::string& uri = inputs.outputs[0].uri;
  for (const auto& [name, svg] : evaluation.plots) MR_DO(context.objects().write(join_uri(uri, name), svg));
  MR_DO(context.objects().write(join_uri(uri, "evaluation.json"), evaluation.report.dump(2) + "\n"));
  return std::move(evaluation.report);
}

}  // namespace millrace::tasks
