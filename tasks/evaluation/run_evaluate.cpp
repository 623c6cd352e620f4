// The job around evaluate(): a test channel and one or two models.

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "tasks/arguments.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/evaluation/evaluation_page.h"
#include "tasks/evaluation/more_metrics.h"
#include "tasks/evaluation/row_scorer.h"
#include "tasks/evaluation/slices.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

struct ScoredChannel {
  std::vector<double> labels;
  Matrix predictions;
  EvaluationSettings settings;  // task and classes
};

constexpr std::string_view kJudgedTasks[] = {"binary", "multiclass", "regression"};
constexpr std::size_t kClustersMax = 10'000;

// What is judged and how, beyond EvaluationSettings.
struct EvaluateSettings {
  EvaluationSettings evaluation;
  std::optional<BinaryScores::ThresholdRule> rule;
  std::string rule_name;
  std::vector<std::string> slices;
  std::string group, cluster_column;
  std::vector<std::string> cluster_features;
  std::size_t k = 10;
};

Result<ScoredChannel> score(const RowScorer& scorer, const std::string& uri, const Table& rows,
                            TaskContext& context) {
  ScoredChannel out;
  out.settings.task = scorer.task();
  if (std::find(std::begin(kJudgedTasks), std::end(kJudgedTasks), scorer.task()) == std::end(kJudgedTasks)) {
    return invalid(uri + " is a model of " + std::string(scorer.model().algorithm()) +
                       ", which predicts no target that it could be judged by",
                   "its training job reports its metrics on a channel named test; clusters that stand in a "
                   "column are judged by the setting cluster_column");
  }
  out.settings.classes = scorer.target().classes;
  MR_TRY(labels, scorer.labels(rows));
  out.labels = std::move(labels);
  MR_TRY(predictions, scorer.predict(rows, context));
  out.predictions = std::move(predictions);
  return out;
}

Status read_rule(const Json& json, EvaluateSettings& out) {
  using By = BinaryScores::ThresholdRule::By;
  const Arguments arguments(json);
  if (!arguments.has("choose_threshold")) return {};
  MR_TRY(from, arguments.object("choose_threshold"));
  MR_DO(check_setting_names(from.json(), {"by", "target", "false_positive_cost", "false_negative_cost"},
                            "choose_threshold"));
  MR_TRY(by, from.text("by"));
  MR_DO(from.one_of("by", by, "f1|cost|precision|recall"));
  BinaryScores::ThresholdRule rule;
  rule.by = by == "f1" ? By::F1 : by == "cost" ? By::Cost : by == "precision" ? By::Precision : By::Recall;
  MR_TRY(target, from.real_or("target", rule.target));
  MR_TRY(positive, from.real_or("false_positive_cost", rule.false_positive_cost));
  MR_TRY(negative, from.real_or("false_negative_cost", rule.false_negative_cost));
  if (!(target > 0 && target <= 1)) return from.wrong("target", "must be above 0 and at most 1");
  if (!(positive >= 0 && negative >= 0 && positive + negative > 0))
    return from.wrong("false_positive_cost", "costs may not be negative, and one must be above 0");
  rule.target = target;
  rule.false_positive_cost = positive;
  rule.false_negative_cost = negative;
  out.rule = rule;
  out.rule_name = by;
  return {};
}

Result<EvaluateSettings> read_evaluate_settings(const Json& json, std::uint64_t seed) {
  EvaluateSettings out;
  const Arguments arguments(json);
  MR_DO(check_setting_names(json,
                            {"threshold", "bootstrap", "seed", "choose_threshold", "slices", "quantile",
                             "group", "k", "cluster_column", "columns"},
                            "evaluate"));
  MR_TRY(threshold, arguments.real_or("threshold", 0.5));
  MR_TRY(samples, arguments.integer_or("bootstrap", 200));
  MR_TRY(given, arguments.integer_or("seed", static_cast<std::int64_t>(seed)));
  MR_TRY(quantile, arguments.real_or("quantile", 0));
  MR_TRY(k, arguments.integer_or("k", 10));
  if (samples < 0 || samples > 100'000) return arguments.wrong("bootstrap", "must be between 0 and 100000");
  if (!(threshold >= 0 && threshold <= 1)) return arguments.wrong("threshold", "must be between 0 and 1");
  if (!(quantile >= 0 && quantile < 1)) return arguments.wrong("quantile", "must be between 0 and 1");
  if (k < 1 || k > 1'000'000) return arguments.wrong("k", "must be between 1 and 1000000");
  out.evaluation.threshold = threshold;
  out.evaluation.quantile = quantile;
  out.evaluation.samples = static_cast<std::uint64_t>(samples);
  out.evaluation.seed = static_cast<std::uint64_t>(given);
  out.k = static_cast<std::size_t>(k);
  MR_DO(read_rule(json, out));
  if (out.rule && arguments.has("threshold"))
    return arguments.wrong("threshold", "is given, and choose_threshold as well");
  MR_TRY(slices, arguments.texts("slices"));
  MR_TRY(group, arguments.text_or("group", ""));
  MR_TRY(clusters, arguments.text_or("cluster_column", ""));
  MR_TRY(features, arguments.texts("columns"));
  if (!features.empty() && clusters.empty())
    return arguments.wrong("columns", "are those of clusters, whose cluster_column is not given");
  out.slices = std::move(slices);
  out.group = std::move(group);
  out.cluster_column = std::move(clusters);
  out.cluster_features = std::move(features);
  return out;
}

// Numbers of equal texts, by order of appearance.
Result<std::vector<std::uint32_t>> group_numbers(const Table& rows, const std::string& name,
                                                 std::string_view setting) {
  const Column* column = rows.find(name);
  if (column == nullptr)
    return invalid(std::string(setting) + ": the test data has no column \"" + name + "\"");
  const Column texts = as_texts(*column);
  std::map<std::string, std::uint32_t> numbers;
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    if (texts.missing[i] != 0) return invalid("row " + std::to_string(i + 1) + " has no \"" + name + "\"");
    out.push_back(numbers.emplace(texts.texts[i], static_cast<std::uint32_t>(numbers.size())).first->second);
  }
  return out;
}

std::vector<double> first_outputs(const Matrix& predictions) {
  std::vector<double> out;
  for (std::size_t i = 0; i < predictions.rows; ++i) out.push_back(predictions.at(i, 0));
  return out;
}

// The threshold by the rule, from the validation rows where there are some. Fills the report's part.
Result<Json> choose_threshold(const ProcessingInputs& inputs, const ScoredChannel& test,
                              EvaluateSettings& settings, TaskContext& context) {
  if (test.settings.task != "binary")
    return invalid("choose_threshold: the model's task is " + test.settings.task + ", not binary");
  const NamedUri* validation = inputs.input("validation");
  std::pair<double, double> best;
  if (validation != nullptr) {
    const std::string& uri = inputs.input("model")->uri;
    MR_TRY(scorer, RowScorer::load(context.objects(), uri, holds_features(context.objects(), *validation)));
    MR_TRY(options, scored_rows_options(scorer, *validation, context.objects()));
    MR_TRY(rows, read_channel(*validation, context, 0.3, std::move(options)));
    MR_TRY(scored, score(scorer, uri, rows, context));
    MR_TRY(found,
           BinaryScores(scored.labels, first_outputs(scored.predictions)).choose_threshold(*settings.rule));
    best = found;
  } else {
    MR_TRY(found,
           BinaryScores(test.labels, first_outputs(test.predictions)).choose_threshold(*settings.rule));
    best = found;
  }
  settings.evaluation.threshold = best.first;
  const std::string_view names[] = {"f1", "cost", "recall", "precision"};
  return Json{{"by", settings.rule_name},
              {"value", best.second},
              {"value_is", names[static_cast<std::size_t>(settings.rule->by)]},
              {"threshold", best.first},
              {"chosen_on", validation != nullptr ? "validation" : "test"}};
}

Status add_slices(const Table& rows, const ScoredChannel& scored, const EvaluateSettings& settings,
                  Evaluation& out) {
  for (const std::string& name : settings.slices) {
    const Column* column = rows.find(name);
    if (column == nullptr) return invalid("slices: the test data has no column \"" + name + "\"");
    const Json metrics =
        slice_metrics(slices_of(*column), scored.labels, scored.predictions, settings.evaluation);
    const std::string main = scored.settings.task == "binary"       ? "auc"
                             : scored.settings.task == "multiclass" ? "accuracy"
                                                                    : "mae";
    std::vector<std::pair<std::string, double>> bars;
    for (const auto& [slice, entry] : metrics.items())
      bars.emplace_back(slice + " (" + entry["rows"].dump() + ")", entry[main].get<double>());
    out.plots["slices_" + std::to_string(out.report.value("slices", Json::object()).size() + 1) + ".svg"] =
        draw_bars(main + " by " + name, main, bars);
    out.report["slices"][name] = metrics;
  }
  return {};
}

Status add_ranking(const Table& rows, const ScoredChannel& scored, const EvaluateSettings& settings,
                   Evaluation& out) {
  if (settings.group.empty()) return {};
  if (scored.predictions.cols != 1)
    return invalid("group: a ranking needs one score a row, the model gives " +
                   std::to_string(scored.predictions.cols));
  MR_TRY(groups, group_numbers(rows, settings.group, "group"));
  const RankingMetrics found =
      ranking_metrics(scored.labels, first_outputs(scored.predictions), groups, settings.k);
  const std::string k = std::to_string(settings.k);
  Json& entry = out.report["ranking_metrics"];
  entry["ndcg"] = {{"value", found.ndcg}};
  entry["ndcg_at_" + k] = {{"value", found.ndcg_at_k}};
  entry["map"] = {{"value", found.map}};
  entry["map_at_" + k] = {{"value", found.map_at_k}};
  entry["mean_reciprocal_rank"] = {{"value", found.reciprocal_rank}};
  entry["groups"] = found.groups;
  return {};
}

// Clusters that stand in a column of the rows.
Result<Evaluation> evaluate_clusters(const Table& rows, const EvaluateSettings& settings,
                                     TaskContext& context) {
  MR_TRY(clusters, group_numbers(rows, settings.cluster_column, "cluster_column"));
  std::vector<Column> columns;
  for (const Column& column : rows.columns) {
    const bool named = std::find(settings.cluster_features.begin(), settings.cluster_features.end(),
                                 column.name) != settings.cluster_features.end();
    const bool chosen = settings.cluster_features.empty()
                            ? column.type == Column::Type::Number && column.name != settings.cluster_column
                            : named;
    if (!chosen) continue;
    MR_TRY(numbers, as_numbers(column));
    columns.push_back(std::move(numbers));
  }
  for (const std::string& name : settings.cluster_features) {
    if (rows.find(name) == nullptr) return invalid("columns: the test data has no column \"" + name + "\"");
  }
  if (columns.empty()) return invalid("the test data has no column of numbers besides the clusters");
  if (*std::max_element(clusters.begin(), clusters.end()) >= kClustersMax)
    return fail(ErrorCode::LimitExceeded,
                "cluster_column has more than " + std::to_string(kClustersMax) + " values");
  Matrix X(rows.rows, columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (std::size_t i = 0; i < rows.rows; ++i) X.at(i, c) = static_cast<float>(columns[c].numbers[i]);
  }
  MR_TRY(found, cluster_metrics(X, clusters, Random(settings.evaluation.seed).derive("silhouette"),
                                [&] { return context.cancelled(); }));
  Evaluation out;
  out.report["clustering_metrics"] = {{"silhouette_score", {{"value", found.silhouette}}},
                                      {"calinski_harabasz_score", {{"value", found.calinski_harabasz}}},
                                      {"davies_bouldin_score", {{"value", found.davies_bouldin}}},
                                      {"clusters", found.sizes.size()}};
  out.report["rows"] = rows.rows;
  const Column names = as_texts(*rows.find(settings.cluster_column));
  std::vector<std::pair<std::string, double>> bars(found.sizes.size());
  for (std::size_t i = 0; i < rows.rows; ++i) bars[clusters[i]] = {names.texts[i], found.sizes[clusters[i]]};
  out.plots["clusters.svg"] = draw_bars("Rows by cluster", "rows", bars);
  return out;
}

Status write_evaluation(const ProcessingInputs& inputs, const Evaluation& evaluation, TaskContext& context) {
  const std::string& uri = inputs.outputs[0].uri;
  for (const auto& [name, svg] : evaluation.plots) MR_DO(context.objects().write(join_uri(uri, name), svg));
  MR_DO(context.objects().write(join_uri(uri, "report.html"),
                                evaluation_page(evaluation.report, evaluation.plots)));
  return context.objects().write(join_uri(uri, "evaluation.json"), evaluation.report.dump(2) + "\n");
}

}  // namespace

Status check_evaluate(const ProcessingInputs& inputs) {
  MR_TRY(settings, read_evaluate_settings(inputs.settings, 0));
  if (inputs.input("test") == nullptr)
    return invalid("ProcessingInputs: evaluate needs an input named \"test\"");
  if (inputs.input("model") == nullptr && settings.cluster_column.empty())
    return invalid("ProcessingInputs: evaluate needs an input named \"model\"");
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: evaluate needs one output");
  return {};
}

Result<Json> run_evaluate(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_evaluate(inputs));
  MR_TRY(settings, read_evaluate_settings(inputs.settings, context.seed()));
  const NamedUri& test = *inputs.input("test");
  if (!settings.cluster_column.empty()) {
    MR_TRY(rows, read_channel(test, context, 0.2));
    MR_TRY(clusters, evaluate_clusters(rows, settings, context));
    MR_DO(write_evaluation(inputs, clusters, context));
    return std::move(clusters.report);
  }
  const bool prepared = holds_features(context.objects(), test);
  const std::string& model_uri = inputs.input("model")->uri;
  MR_TRY(scorer, RowScorer::load(context.objects(), model_uri, prepared));
  MR_TRY(options, scored_rows_options(scorer, test, context.objects()));
  MR_TRY(rows, read_channel(test, context, 0.2, std::move(options)));
  MR_TRY(scored, score(scorer, model_uri, rows, context));
  EvaluationSettings& evaluation_settings = settings.evaluation;
  evaluation_settings.task = scored.settings.task;
  evaluation_settings.classes = scored.settings.classes;
  evaluation_settings.cancelled = [&] { return context.cancelled(); };
  Json chosen;
  if (settings.rule) {
    MR_TRY(found, choose_threshold(inputs, scored, settings, context));
    chosen = std::move(found);
  }
  report(context, "Evaluating", 0.5, static_cast<std::int64_t>(rows.rows));
  MR_TRY(evaluation, evaluate(scored.labels, scored.predictions, evaluation_settings));
  if (!chosen.is_null()) evaluation.report["binary_classification_metrics"]["chosen_threshold"] = chosen;
  if (const NamedUri* champion = inputs.input("champion")) {
    MR_TRY(other_scorer, RowScorer::load(context.objects(), champion->uri, prepared));
    MR_TRY(other, score(other_scorer, champion->uri, rows, context));
    if (other.settings.task != scored.settings.task || other.labels != scored.labels) {
      return invalid("champion and model do not predict the same target");
    }
    MR_TRY(comparison, compare(scored.labels, scored.predictions, other.predictions, evaluation_settings));
    evaluation.report["comparison"] = std::move(comparison);
    if (scored.settings.task == "binary")
      draw_beside_champion(scored.labels, scored.predictions, other.predictions, evaluation);
  }
  MR_DO(add_slices(rows, scored, settings, evaluation));
  MR_DO(add_ranking(rows, scored, settings, evaluation));
  MR_DO(write_evaluation(inputs, evaluation, context));
  return bounded_summary(std::move(evaluation.report), join_uri(inputs.outputs[0].uri, "evaluation.json"),
                         {"binary_classification_metrics", "multiclass_classification_metrics",
                          "regression_metrics", "ranking_metrics", "comparison", "rows"});
}

}  // namespace millrace::tasks
