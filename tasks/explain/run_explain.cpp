#include "tasks/explain/run_explain.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/bias/analysis_config.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/metrics.h"
#include "tasks/evaluation/svg_chart.h"
#include "tasks/explain/explain_settings.h"
#include "tasks/explain/feature_effects.h"
#include "tasks/explain/kernel_shap.h"
#include "tasks/explain/tree_contributions.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSwarmOutputsMax = 4;
constexpr std::string_view kLessIsBetter[] = {"logloss", "mlogloss", "brier", "rmse", "mae", "mse", "mape"};

// What the parts share.
struct ExplainJob {
  const ProcessingInputs& inputs;
  TaskContext& context;
  const RowScorer& scorer;
  const Table& data;  // all columns
  Table features;     // the model's columns, in its order
  ExplainSettings settings;
  std::vector<std::string> labels;           // of the outputs
  std::map<std::string, std::string> plots;  // by name
  Json analysis = {{"version", "1.0"}, {"explanations", Json::object()}};
  std::vector<std::string> notes = {};  // for the report
  std::vector<std::pair<std::string, double>> ranking = {};
};

// At most `most` row numbers, evenly over the data.
std::vector<std::uint32_t> spread_rows(std::size_t rows, std::size_t most) {
  std::vector<std::uint32_t> out;
  const std::size_t count = std::min(rows, most);
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<std::uint32_t>(i * rows / count));
  return out;
}

std::vector<std::string> output_labels(const RowScorer& scorer, const ExplainSettings& settings,
                                       std::size_t outputs) {
  std::vector<std::string> out;
  const std::vector<std::string>& classes = scorer.target().classes;
  for (std::size_t k = 0; k < outputs; ++k) {
    if (settings.label_headers.size() == outputs)
      out.push_back(settings.label_headers[k]);
    else if (outputs > 1 && classes.size() == outputs)
      out.push_back(classes[k]);
    else
      out.push_back("label" + std::to_string(k));
  }
  return out;
}

Result<Baseline> baseline_of(const ExplainJob& job, const ShapSettings& shap) {
  if (const NamedUri* input = job.inputs.input("baseline")) {
    MR_TRY(options, scored_rows_options(job.scorer, *input, job.context.objects()));
    MR_TRY(table, read_channel(*input, job.context, 0.3, std::move(options)));
    if (table.rows > kBaselineRowsMax)
      return invalid("input \"baseline\" has " + std::to_string(table.rows) + " rows, more than " +
                     std::to_string(kBaselineRowsMax));
    MR_TRY(rows, only_columns(table, job.scorer.columns()));
    Baseline out{std::move(rows), {}};
    for (std::size_t c = 0; c < out.rows.columns.size(); ++c) {  // cells of the data's types
      if (job.features.columns[c].type == Column::Type::Text)
        out.rows.columns[c] = as_texts(out.rows.columns[c]);
      else if (out.rows.columns[c].type == Column::Type::Text) {
        MR_TRY(numbers, as_numbers(out.rows.columns[c]));
        out.rows.columns[c] = std::move(numbers);
      }
    }
    out.weights.assign(out.rows.rows, 1 / static_cast<double>(out.rows.rows));
    return out;
  }
  if (!shap.baseline.is_null()) return read_baseline(shap.baseline, job.features);
  return make_baseline(job.features, shap.clusters, Random(shap.seed).derive("baseline"));
}

// The answers of a model in the order of its labels: log odds for trees, probabilities for kernel SHAP.
Result<ShapCollector> kernel_shap(ExplainJob& job, const ShapSettings& shap, std::vector<double>& expected) {
  MR_TRY(baseline, baseline_of(job, shap));
  MR_DO(write_table(job.context.objects(),
                    join_uri(job.inputs.outputs[0].uri, "explanations_shap/baseline.csv"), baseline.rows));
  const PredictTable predict = [&](const Table& rows) { return job.scorer.predict(rows); };
  MR_TRY(kernel, KernelShap::make(predict, std::move(baseline), {shap.samples, shap.seed, shap.use_logit}));
  expected = kernel.expected();
  job.labels = output_labels(job.scorer, job.settings, expected.size());
  ShapCollector out(job.scorer.columns(), job.labels);
  const auto rows = spread_rows(job.data.rows, shap.max_rows.value_or(kKernelRows));
  job.notes.push_back("Kernel SHAP over " + std::to_string(kernel.mixtures()) + " mixtures a row" +
                      (kernel.exact() ? ", all there are: the values are exact." : "."));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (job.context.cancelled()) return fail(ErrorCode::Cancelled, "explain was cancelled");
    MR_TRY(values, kernel.explain(job.features, rows[i]));
    out.add(rows[i], values);
    report(job.context, "Explaining", 0.3 + 0.5 * static_cast<double>(i) / static_cast<double>(rows.size()),
           static_cast<std::int64_t>(i));
  }
  return out;
}

Result<ShapCollector> tree_shap(ExplainJob& job, const ShapSettings& shap, std::vector<double>& expected) {
  TreeContributions shape = tree_contributions(job.scorer);
  expected = shape.expected;
  job.labels = output_labels(job.scorer, job.settings, expected.size());
  const std::size_t width = shape.names.size() * expected.size();
  const std::size_t most =
      std::min(shap.max_rows.value_or(kTreeRows), std::max<std::size_t>(1, kShapValuesMax / width));
  const auto rows = spread_rows(job.data.rows, most);
  ShapCollector out(shape.names, job.labels);
  MR_DO(collect_tree_contributions(job.scorer, job.data, rows, job.context, out));
  job.notes.emplace_back("Exact values of the trees, on the scale of the model's margin.");
  return out;
}

Status do_shap(ExplainJob& job) {
  const ShapSettings& shap = *job.settings.shap;
  const bool trees = has_trees(job.scorer);
  if (shap.algorithm == "tree" && !trees)
    return invalid("methods.shap.algorithm: the model has no trees", "use auto or kernel");
  const bool by_tree = trees && shap.algorithm != "kernel" && shap.baseline.is_null() &&
                       job.inputs.input("baseline") == nullptr;
  if (shap.algorithm == "tree" && !by_tree)
    return invalid("methods.shap.algorithm: exact values of trees take no baseline");
  std::vector<double> expected;
  MR_TRY(values, by_tree ? tree_shap(job, shap, expected) : kernel_shap(job, shap, expected));
  job.analysis["explanations"][by_tree ? "tree_shap" : "kernel_shap"] =
      values.to_json(shap.agg_method, expected);
  if (shap.save_local)
    MR_DO(job.context.objects().write(join_uri(job.inputs.outputs[0].uri, "explanations_shap/out.csv"),
                                      values.csv()));
  job.ranking = values.ranking(shap.agg_method);
  job.notes.push_back(std::to_string(values.rows()) + " of " + std::to_string(job.data.rows) +
                      " rows were explained.");
  job.plots["shap_importance.svg"] =
      draw_bars("What the answers depend on", shap.agg_method + " of the SHAP values", job.ranking);
  for (std::size_t k = 0; k < std::min(values.labels().size(), kSwarmOutputsMax); ++k) {
    const std::string name = values.labels().size() == 1 ? "" : "_" + std::to_string(k);
    job.plots["shap_swarm" + name + ".svg"] =
        draw_swarms("How each value pushes the answer" + (name.empty() ? "" : ": " + values.labels()[k]),
                    "SHAP value", values.swarms(k, shap.agg_method, job.data), "low", "high");
  }
  return {};
}

// A metric of `evaluate` as a function of predictions, more being better.
Result<std::function<double(const Matrix&)>> score_of(const RowScorer& scorer, std::vector<double> labels,
                                                      std::string metric) {
  const std::string task = scorer.task();
  if (metric.empty()) metric = task == "binary" ? "auc" : task == "multiclass" ? "accuracy" : "r2";
  const auto values = [task, labels = std::move(labels)](const Matrix& predictions) {
    const std::vector<double> column(predictions.values.begin(), predictions.values.end());
    if (task == "binary") return BinaryScores(labels, column).metrics(0.5);
    if (task == "multiclass") return class_metrics(labels, predictions);
    return regression_metrics(labels, column);
  };
  Matrix probe(0,
               scorer.task() == "multiclass" ? std::max<std::size_t>(2, scorer.target().classes.size()) : 1);
  std::string known;
  bool there = false;
  const std::vector<double> none;
  const MetricValues names = task == "binary"       ? BinaryScores(none, none).metrics(0.5)
                             : task == "multiclass" ? class_metrics(none, probe)
                                                    : regression_metrics(none, none);
  for (const auto& [name, value] : names) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    there |= name == metric;
  }
  if (!there)
    return invalid("methods.permutation.metric: \"" + metric + "\" is no metric of a " + task + " model",
                   "metrics: " + known);
  const bool less =
      std::find(std::begin(kLessIsBetter), std::end(kLessIsBetter), metric) != std::end(kLessIsBetter);
  return std::function<double(const Matrix&)>([values, metric, less](const Matrix& predictions) {
    for (const auto& [name, value] : values(predictions)) {
      if (name == metric) return less ? -value : value;
    }
    return 0.0;
  });
}

Status do_permutation(ExplainJob& job) {
  const PermutationSettings& settings = *job.settings.permutation;
  if (job.data.find(job.scorer.target().name) == nullptr) {
    if (!job.settings.permutation_asked) return {};
    return invalid("methods.permutation: the data has no column \"" + job.scorer.target().name +
                   "\", the target");
  }
  const auto rows = spread_rows(job.data.rows, settings.max_rows);
  MR_TRY(labels, job.scorer.labels(select_rows(job.data, rows)));
  MR_TRY(score, score_of(job.scorer, std::move(labels), settings.metric));
  const PredictTable predict = [&](const Table& table) { return job.scorer.predict(table); };
  const Random random = Random(job.context.seed()).derive("permutation");
  MR_TRY(found, permutation_importance(select_rows(job.features, rows), predict, score, settings.repeats,
                                       random, job.context));
  Json& out = job.analysis["explanations"]["permutation_importance"];
  out = Json::object();
  std::vector<std::pair<std::string, double>> bars;
  for (const PermutationImportance& entry : found) {
    out[entry.feature] = {{"importance_mean", entry.mean}, {"importance_std", entry.std}};
    bars.emplace_back(entry.feature, entry.mean);
  }
  if (job.ranking.empty()) job.ranking = bars;
  job.plots["permutation.svg"] =
      draw_bars("What the model loses when a column is shuffled", "loss of the metric", bars);
  return {};
}

std::string pdp_chart(const PartialDependence& effect, const std::vector<std::string>& labels) {
  if (!effect.numeric) {
    std::vector<std::pair<std::string, double>> bars;
    for (std::size_t g = 0; g < effect.categories.size(); ++g)
      bars.emplace_back(effect.categories[g], effect.means.back()[g]);
    return draw_bars(effect.feature,
                     "mean answer" + (labels.size() > 1 ? " for " + labels.back() : std::string()), bars);
  }
  Chart chart{effect.feature, effect.feature, "mean answer", {}};
  for (std::size_t k = 0; k < effect.means.size(); ++k) {
    Series line{effect.means.size() > 1 ? labels[k] : "", {}, Series::Style::Line, false};
    for (std::size_t g = 0; g < effect.numbers.size(); ++g)
      line.points.emplace_back(effect.numbers[g], effect.means[k][g]);
    chart.series.push_back(std::move(line));
  }
  return draw_chart(chart);
}

Status do_pdp(ExplainJob& job) {
  const PdpSettings& settings = *job.settings.pdp;
  std::vector<std::string> names = settings.features;
  if (names.empty()) {
    for (const auto& [name, value] : job.ranking) {
      if (names.size() < settings.top && job.features.find(name) != nullptr) names.push_back(name);
    }
  }
  if (names.empty()) {
    for (const std::string& name : job.scorer.columns()) {
      if (names.size() < settings.top) names.push_back(name);
    }
  }
  const Table rows = select_rows(job.features, spread_rows(job.data.rows, settings.max_rows));
  const PredictTable predict = [&](const Table& table) { return job.scorer.predict(table); };
  Json& out = job.analysis["explanations"]["pdp"];
  out = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    MR_TRY(column, column_of(rows, names[i], "methods.pdp.features"));
    MR_TRY(effect, partial_dependence(rows, static_cast<std::size_t>(column - rows.columns.data()), predict,
                                      settings.grid, job.context));
    if (effect.means.empty()) continue;  // no row has a value
    out.push_back(to_json(effect));
    job.labels = output_labels(job.scorer, job.settings, effect.means.size());
    const std::string number = (i < 9 ? "0" : "") + std::to_string(i + 1);
    job.plots["pdp_" + number + ".svg"] = pdp_chart(effect, job.labels);
  }
  return {};
}

std::string explain_page(const ExplainJob& job) {
  HtmlReport page("Why the model answers what it does");
  page.figures({{"rows", std::to_string(job.data.rows)},
                {"columns", std::to_string(job.scorer.columns().size())},
                {"task", job.scorer.task()}});
  for (const std::string& note : job.notes) page.paragraph(note);
  const std::pair<std::string_view, std::string_view> sections[] = {
      {"shap", "SHAP values"}, {"permutation", "Permutation importance"}, {"pdp", "Partial dependence"}};
  for (const auto& [prefix, title] : sections) {
    bool any = false;
    for (const auto& [name, svg] : job.plots) {
      if (!name.starts_with(prefix)) continue;
      if (!any) page.heading(title);
      any = true;
      page.chart(svg);
    }
  }
  return page.finish();
}

}  // namespace

Status check_explain(const ProcessingInputs& inputs) {
  MR_DO(read_explain_settings(inputs.settings, 0));
  MR_DO(dataset_options(inputs.settings));
  MR_DO(dataset_input(inputs, "explain"));
  if (!names_model(inputs))
    return invalid("ProcessingInputs: explain needs an input named \"model\", or predictor.model_name");
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: explain needs one output");
  return {};
}

Result<Json> run_explain(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_explain(inputs));
  MR_TRY(settings, read_explain_settings(inputs.settings, context.seed()));
  MR_TRY(options, dataset_options(inputs.settings));
  MR_TRY(dataset, dataset_input(inputs, "explain"));
  MR_TRY(model, analysed_model(inputs, context));
  MR_TRY(scorer, RowScorer::load(context.objects(), model, holds_features(context.objects(), *dataset)));
  if (options.header) {
    MR_TRY(found, scored_rows_options(scorer, *dataset, context.objects()));
    options = std::move(found);
  }
  MR_TRY(data, read_channel(*dataset, context, 0.3, options));
  MR_DO(scorer.check_columns(data));
  MR_TRY(features, only_columns(data, scorer.columns()));
  ExplainJob job{inputs, context, scorer, data, std::move(features), std::move(settings), {}, {}};
  if (job.settings.shap) MR_DO(do_shap(job));
  report(context, "Shuffling", 0.8);
  if (job.settings.permutation) MR_DO(do_permutation(job));
  report(context, "Analyzing", 0.9);
  if (job.settings.pdp) MR_DO(do_pdp(job));
  const std::string& uri = inputs.outputs[0].uri;
  for (const auto& [name, svg] : job.plots) MR_DO(context.objects().write(join_uri(uri, name), svg));
  MR_DO(context.objects().write(join_uri(uri, "report.html"), explain_page(job)));
  MR_DO(context.objects().write(join_uri(uri, "analysis.json"), job.analysis.dump(2) + "\n"));
  Json summary = job.analysis;
  summary["explanations"].erase("pdp");  // long, and in the file
  return bounded_summary(std::move(summary), join_uri(uri, "analysis.json"));
}

}  // namespace millrace::tasks
