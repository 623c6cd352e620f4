#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/row_scorer.h"
#include "tasks/monitor/model_quality.h"
#include "tasks/monitor/monitor.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kQualityBootstrap = 100;
constexpr std::size_t kQualityClassesMax = 1000;
constexpr std::string_view kOfScores[] = {"auc", "aucpr", "logloss", "brier", "mlogloss"};

struct QualityData {
  std::vector<double> labels;
  Matrix predictions;
  EvaluationSettings settings;
  bool scores = true;  // predictions are probabilities, not decisions
};

// Classes of truth and predictions together, sorted; of two the positive one last.
Result<std::vector<std::string>> quality_classes(const Column& truth, const Column* guess,
                                                 const std::string& positive) {
  std::set<std::string> found;
  for (const Column* column : {&truth, guess}) {
    if (column == nullptr) continue;
    const Column texts = as_texts(*column);
    for (std::size_t i = 0; i < texts.texts.size(); ++i) {
      if (texts.missing[i] == 0) found.insert(texts.texts[i]);
      if (found.size() > kQualityClassesMax)
        return invalid("column \"" + column->name + "\" has more than " + std::to_string(kQualityClassesMax) +
                           " classes",
                       "for numbers the problem_type is Regression");
    }
  }
  std::vector<std::string> out(found.begin(), found.end());
  if (positive.empty()) return out;
  const auto at = std::find(out.begin(), out.end(), positive);
  if (at == out.end()) return invalid("positive_label: no row is \"" + positive + "\"");
  std::rotate(at, at + 1, out.end());
  return out;
}

Result<std::vector<double>> class_numbers(const Column& column, const std::vector<std::string>& classes) {
  const Column texts = as_texts(column);
  std::vector<double> out;
  for (std::size_t i = 0; i < texts.texts.size(); ++i) {
    if (texts.missing[i] != 0)
      return invalid("row " + std::to_string(i + 1) + " has no \"" + column.name + "\"");
    const auto at = std::find(classes.begin(), classes.end(), texts.texts[i]);
    out.push_back(static_cast<double>(at - classes.begin()));
  }
  return out;
}

// Predictions that stand in the data as classes or numbers.
Result<QualityData> from_columns(const Table& table, const Json& settings, const std::string& task) {
  const Arguments arguments(settings);
  QualityData out;
  out.settings.task = task;
  MR_TRY(truth_name, arguments.text("ground_truth_attribute"));
  MR_TRY(truth, column_of(table, truth_name, "ground_truth_attribute"));
  const Column* guess = nullptr;
  const Column* probability = nullptr;
  if (arguments.has("inference_attribute")) {
    MR_TRY(column, column_of(table, settings["inference_attribute"], "inference_attribute"));
    guess = column;
  }
  if (arguments.has("probability_attribute")) {
    MR_TRY(column, column_of(table, settings["probability_attribute"], "probability_attribute"));
    probability = column;
  }
  if (task == "regression" || (task == "binary" && probability != nullptr)) {
    const Column* source = task == "regression" ? guess : probability;
    if (source == nullptr) return invalid("inference_attribute is required: the column of predictions");
    MR_TRY(numbers, as_numbers(*source));
    out.predictions = Matrix(table.rows, 1);
    for (std::size_t i = 0; i < table.rows; ++i)
      out.predictions.values[i] = static_cast<float>(numbers.numbers[i]);
  }
  if (task == "regression") {
    MR_TRY(labels, as_numbers(*truth));
    out.labels = std::move(labels.numbers);
    return out;
  }
  if (guess == nullptr && out.predictions.rows == 0)
    return invalid("inference_attribute or probability_attribute is required: the column of predictions");
  MR_TRY(positive, arguments.text_or("positive_label", ""));
  MR_TRY(classes, quality_classes(*truth, out.predictions.rows == 0 ? guess : nullptr, positive));
  if (task == "binary" && classes.size() > 2)
    return invalid("ground_truth_attribute: \"" + truth->name + "\" has " + std::to_string(classes.size()) +
                       " classes, not 2",
                   "problem_type MulticlassClassification takes any number");
  MR_TRY(labels, class_numbers(*truth, classes));
  out.labels = std::move(labels);
  out.settings.classes = classes;
  if (out.predictions.rows > 0) return out;
  out.scores = false;
  MR_TRY(decided, class_numbers(*guess, classes));
  const std::size_t k = task == "binary" ? 1 : std::max<std::size_t>(2, classes.size());
  out.predictions = Matrix(table.rows, k);
  for (std::size_t i = 0; i < table.rows; ++i) {
    if (k == 1)
      out.predictions.values[i] = static_cast<float>(decided[i]);
    else
      out.predictions.at(i, static_cast<std::size_t>(decided[i])) = 1;
  }
  return out;
}

Result<QualityData> from_model(const ProcessingInputs& inputs, const NamedUri& dataset, const Table& table,
                               const std::string& task, TaskContext& context) {
  MR_TRY(scorer, RowScorer::load(context.objects(), inputs.input("model")->uri,
                                 holds_features(context.objects(), dataset)));
  if (scorer.task() != task)
    return invalid("problem_type: the model's task is " + scorer.task() + ", not " + task);
  QualityData out;
  out.settings.task = task;
  out.settings.classes = scorer.target().classes;
  MR_TRY(labels, scorer.labels(table));
  MR_TRY(predictions, scorer.predict(table, context));
  out.labels = std::move(labels);
  out.predictions = std::move(predictions);
  return out;
}

std::string quality_page(const Json& report, const std::map<std::string, std::string>& plots,
                         const std::vector<QualityViolation>& violations, bool checked) {
  HtmlReport page("Model quality");
  page.figures({{"rows", report["rows"].dump()},
                {"violations", checked ? std::to_string(violations.size()) : "no baseline"}});
  if (!violations.empty()) {
    page.heading("Violations");
    std::vector<HtmlReport::Row> rows;
    for (const QualityViolation& entry : violations)
      rows.push_back({{entry.metric, entry.description}, true});
    page.table({"metric", "what"}, rows);
  }
  page.heading("Metrics");
  std::vector<HtmlReport::Row> rows;
  for (const auto& [group, metrics] : report.items()) {
    if (!metrics.is_object()) continue;
    for (const auto& [name, entry] : metrics.items()) {
      if (!entry.is_object() || !entry.contains("value") || !entry.contains("standard_deviation")) continue;
      rows.push_back({{name, short_number(entry["value"].get<double>()),
                       short_number(entry["standard_deviation"].get<double>())},
                      false});
    }
  }
  page.table({"metric", "value", "standard deviation"}, rows);
  for (const auto& [name, svg] : plots) page.chart(svg);
  return page.finish();
}

Status read_quality_settings(const Json& settings, std::uint64_t seed, EvaluationSettings& out) {
  const Arguments arguments(settings);
  MR_TRY(threshold, arguments.real_or("probability_threshold_attribute", 0.5));
  MR_TRY(samples, arguments.integer_or("bootstrap", kQualityBootstrap));
  MR_TRY(given, arguments.integer_or("seed", static_cast<std::int64_t>(seed)));
  if (!(threshold >= 0 && threshold <= 1))
    return arguments.wrong("probability_threshold_attribute", "must be between 0 and 1");
  if (samples < 2 || samples > 100'000) return arguments.wrong("bootstrap", "must be between 2 and 100000");
  out.threshold = threshold;
  out.samples = static_cast<std::uint64_t>(samples);
  out.seed = static_cast<std::uint64_t>(given);
  return {};
}

}  // namespace

Result<std::string> task_of_problem(const Json& settings) {
  const Arguments arguments(settings);
  MR_TRY(problem, arguments.text("problem_type"));
  MR_DO(
      arguments.one_of("problem_type", problem, "BinaryClassification|MulticlassClassification|Regression"));
  return std::string(problem == "Regression"             ? "regression"
                     : problem == "BinaryClassification" ? "binary"
                                                         : "multiclass");
}

Result<Json> run_quality_monitor(const ProcessingInputs& inputs, TaskContext& context) {
  const Json& settings = inputs.settings;
  MR_TRY(task, task_of_problem(settings));
  MR_TRY(options, dataset_options(settings));
  MR_TRY(dataset, dataset_input(inputs, "monitor"));
  MR_TRY(constraints, baseline_file(inputs, "constraints", "constraints.json", context.objects()));
  MR_TRY(table, read_channel(*dataset, context, 0.4, options));
  const bool by_model = inputs.input("model") != nullptr;
  MR_TRY(data,
         by_model ? from_model(inputs, *dataset, table, task, context) : from_columns(table, settings, task));
  MR_DO(read_quality_settings(settings, context.seed(), data.settings));
  data.settings.cancelled = [&] { return context.cancelled(); };
  report(context, "Evaluating", 0.6, static_cast<std::int64_t>(table.rows));
  MR_TRY(evaluation, evaluate(data.labels, data.predictions, data.settings));
  Json& metrics = evaluation.report;
  if (!data.scores) {
    for (auto& [group, entries] : metrics.items()) {
      for (const std::string_view name : kOfScores) {
        if (entries.is_object()) entries.erase(std::string(name));
      }
    }
    for (const char* plot : {"roc.svg", "precision_recall.svg", "calibration.svg", "lift.svg", "gain.svg"})
      evaluation.plots.erase(plot);
  }
  std::vector<QualityViolation> violations;
  if (!constraints.is_null()) {
    MR_TRY(found, quality_violations(constraints, metrics));
    violations = std::move(found);
  }
  const std::string& uri = inputs.outputs[0].uri;
  Json statistics = {{"version", 0.0}, {"dataset", {{"item_count", table.rows}}}};
  statistics.update(metrics);
  MR_DO(context.objects().write(join_uri(uri, "report.html"),
                                quality_page(metrics, evaluation.plots, violations, !constraints.is_null())));
  MR_DO(context.objects().write(join_uri(uri, "statistics.json"), statistics.dump(2) + "\n"));
  Json summary = metrics;
  if (constraints.is_null()) {
    MR_DO(context.objects().write(join_uri(uri, "constraints.json"),
                                  quality_constraints(metrics).dump(2) + "\n"));
    return summary;
  }
  const Json found = to_json(violations);
  for (const QualityViolation& entry : violations) context.log(entry.description);
  MR_DO(context.objects().write(join_uri(uri, "constraint_violations.json"), found.dump(2) + "\n"));
  summary["violation_count"] = violations.size();
  summary.update(found);
  return summary;
}

}  // namespace millrace::tasks
