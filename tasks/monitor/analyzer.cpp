#include "tasks/monitor/analyzer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tasks/arguments.h"
#include "tasks/bias/run_bias.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/explain/run_explain.h"
#include "tasks/jobs/jobs.h"
#include "tasks/monitor/baseline_drift.h"
#include "tasks/monitor/captured_rows.h"
#include "tasks/monitor/monitor.h"
#include "tasks/monitor/row_collector.h"
#include "tasks/processing/channels.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

constexpr const char *kTruth = "ground_truth", *kPrediction = "prediction", *kProbability = "probability";
constexpr double kSettleSeconds = 8, kSettleSecondsMax = 600;  // capture writes its lines every 5 s
constexpr std::size_t kReportHistoryMax = 50;                  // earlier runs in a report
constexpr std::int64_t kBiasBootstrap = 200;

struct Analysis {
  const ProcessingInputs& inputs;
  TaskContext& context;
  Arguments settings;
  TimeSpan span;
  std::int64_t rows_max = kCapturedRowsMax;
  std::string output = {};
  std::set<std::string> excluded = {}, variants_left_out = {};
  GroundTruth truth = {};
  CaptureTally tally = {};
  std::int64_t merged = 0;  // rows that have a ground truth
};

Result<Instant> time_setting(const Arguments& settings, std::string_view name) {
  MR_TRY(text, settings.text(name));
  const auto time = parse_rfc3339(text);
  if (!time) return settings.wrong(name, "\"" + text + "\" is no time", "expected 2026-11-21T10:00:00Z");
  return *time;
}

Result<Analysis> analysis_of(const ProcessingInputs& inputs, TaskContext& context) {
  Analysis out{inputs, context, Arguments(inputs.settings), {}};
  MR_TRY(from, time_setting(out.settings, "start_time"));
  MR_TRY(until, time_setting(out.settings, "end_time"));
  out.span = {from, until};
  MR_TRY(rows_max, out.settings.integer_or("rows_max", kCapturedRowsMax));
  if (rows_max < 1) return out.settings.wrong("rows_max", "must be at least 1");
  out.rows_max = rows_max;
  MR_TRY(excluded, out.settings.texts("exclude_features"));
  out.excluded.insert(excluded.begin(), excluded.end());
  MR_TRY(variants, out.settings.texts("exclude_variants"));
  out.variants_left_out.insert(variants.begin(), variants.end());
  out.output = inputs.outputs[0].uri;
  return out;
}

// What was captured last may not be written yet.
Status let_settle(const Analysis& analysis) {
  MR_TRY(seconds, analysis.settings.real_or("settle_seconds", kSettleSeconds));
  if (!(seconds >= 0 && seconds <= kSettleSecondsMax))
    return analysis.settings.wrong("settle_seconds", "must be between 0 and 600");
  const Instant settled = analysis.span.until + Millis(static_cast<std::int64_t>(seconds * 1000));
  while (analysis.context.clock().now() < settled) {
    if (analysis.context.cancelled()) return fail(ErrorCode::Cancelled, "stopped before the check began");
    std::this_thread::sleep_for(Millis(50));
  }
  return {};
}

Result<CaptureTally> for_rows(const Analysis& analysis, const std::function<void(const CapturedRow&)>& take) {
  report(analysis.context, "Reading", 0.05);
  return read_captured(
      analysis.context.objects(), analysis.inputs.input("captured")->uri, analysis.span, analysis.rows_max,
      [&](const CapturedRow& row) -> Status {
        if (analysis.context.cancelled()) return fail(ErrorCode::Cancelled, "the check was cancelled");
        take(row);
        return {};
      },
      analysis.variants_left_out);
}

// Labels come late: all that came between the span's beginning and now.
Status read_truth(Analysis& analysis) {
  const NamedUri* input = analysis.inputs.input("ground_truth");
  if (!input) return invalid("there is no ground truth", "give the job definition a GroundTruthS3Input");
  const Instant now = std::max(analysis.context.clock().now(), analysis.span.until);
  MR_TRY(truth,
         read_ground_truth(analysis.context.objects(), input->uri, {analysis.span.from, now + Millis(1)}));
  analysis.truth = std::move(truth);
  return {};
}

// Null: the row has none.
const std::string* truth_of(const Analysis& analysis, const CapturedRow& row) {
  const auto found = analysis.truth.find(row.id);
  if (found == analysis.truth.end() || row.place >= found->second.size()) return nullptr;
  const std::string& label = found->second[row.place];
  return label.empty() ? nullptr : &label;
}

// What cells without names are called: `names` when there are as many (a first line that holds the names
// themselves is no row), with the excluded ones or without, else c0, c1, …; SageMaker's order is the answer,
// then the features.
class CellNames {
 public:
  CellNames(std::vector<std::string> names, const std::set<std::string>& excluded)
      : all_(std::move(names)), known_(all_.begin(), all_.end()) {
    for (const std::string& name : all_)
      if (!excluded.contains(name)) kept_.push_back(name);
  }

  // False: the row is a header.
  bool add(const CapturedRow& row, RowCollector& out) const {
    const std::vector<std::string>* names = &row.input.names;
    const std::size_t width = row.input.cells.size();
    bool answer_first = false;
    if (names->empty() && width == all_.size()) {
      names = &all_;
    } else if (names->empty() && width == kept_.size()) {
      names = &kept_;
    } else if (names->empty() && row.output.names.empty() && width + row.output.cells.size() == all_.size()) {
      names = &all_;
      answer_first = true;
    }
    const std::size_t skipped = answer_first ? row.output.cells.size() : 0;
    if (is_header(row.input, *names, skipped)) return false;
    out.begin_row();
    for (std::size_t i = 0; i < skipped; ++i) out.set(all_[i], row.output.cells[i]);
    for (std::size_t i = 0; i < width; ++i)
      out.set(names->empty() ? "c" + std::to_string(i) : (*names)[skipped + i], row.input.cells[i]);
    for (std::size_t i = 0; i < row.output.names.size(); ++i)
      if (known_.contains(row.output.names[i])) out.set(row.output.names[i], row.output.cells[i]);
    return true;
  }

 private:
  static bool is_header(const CapturedCells& row, const std::vector<std::string>& names,
                        std::size_t skipped) {
    if (!row.names.empty() || names.empty()) return false;
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      if (row.cells[i] != names[skipped + i]) return false;
    return true;
  }

  std::vector<std::string> all_, kept_;
  std::set<std::string> known_;
};

Result<NamedUri> write_rows(Analysis& analysis, RowCollector& rows) {
  const Table table = rows.finish();
  if (table.rows == 0)
    return invalid("Job inputs had no data: nothing usable was captured from " +
                   format_rfc3339(analysis.span.from) + " to " + format_rfc3339(analysis.span.until) +
                   (analysis.tally.unreadable > 0
                        ? "; " + std::to_string(analysis.tally.unreadable) + " lines have no rows"
                        : ""));
  const std::string uri = join_uri(analysis.output, "rows.csv");
  MR_DO(analysis.context.objects().write(uri, format_csv(table)));
  NamedUri out{"dataset", uri, {}};
  out.source.uri = uri;
  return out;
}

// The inputs of another processor: these rows, and what the baseline has.
ProcessingInputs handed_on(const Analysis& analysis, NamedUri dataset, Json settings) {
  ProcessingInputs out;
  out.inputs.push_back(std::move(dataset));
  for (const char* name : {"constraints", "statistics"})
    if (const NamedUri* input = analysis.inputs.input(name)) out.inputs.push_back(*input);
  out.outputs = {{"result", analysis.output, {}}};
  out.settings = std::move(settings);
  return out;
}

void copy_settings(const Json& from, Json& to, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (from.contains(name) && !from[name].is_null()) to[name] = from[name];
}

// What earlier runs of the schedule found, oldest first.
Json history_of(const Analysis& analysis) {
  Json out = Json::array();
  const std::string schedule = text_at(analysis.inputs.settings, {"schedule"});
  if (schedule.empty()) return out;
  const auto records =
      analysis.context.jobs().list(kMonitoringExecutionRecord, schedule + "/", kReportHistoryMax);
  if (!records) return out;
  for (auto record = records->rbegin(); record != records->rend(); ++record) {
    const Json notes = record->value("Millrace", Json::object());
    if (!notes.contains(kDistancesNote)) continue;
    const std::string until = text_at(notes, {"Until"});
    if (const auto time = parse_rfc3339(until); time && *time < analysis.span.until)
      out.push_back({{"time", until}, {"distances", notes[kDistancesNote]}});
  }
  return out;
}

Result<std::vector<std::string>> names_of_baseline(const Analysis& analysis) {
  MR_TRY(headers, analysis.settings.texts("headers"));
  if (!headers.empty()) return headers;
  MR_TRY(constraints,
         baseline_file(analysis.inputs, "constraints", "constraints.json", analysis.context.objects()));
  std::vector<std::string> names;
  if (constraints.is_object())
    for (const Json& feature : constraints.value("features", Json::array()))
      names.push_back(text_at(feature, {"name"}));
  return names;
}

Result<Json> analyze_data(Analysis& analysis) {
  MR_TRY(names, names_of_baseline(analysis));
  const CellNames cells(names, analysis.excluded);
  RowCollector rows;
  MR_TRY(tally, for_rows(analysis, [&](const CapturedRow& row) { cells.add(row, rows); }));
  analysis.tally = tally;
  MR_TRY(dataset, write_rows(analysis, rows));
  Json settings = Json::object();
  copy_settings(analysis.inputs.settings, settings, {"monitoring_config", "exclude_features"});
  if (Json history = history_of(analysis); !history.empty()) settings["history"] = std::move(history);
  return run_monitor(handed_on(analysis, std::move(dataset), std::move(settings)), analysis.context);
}

// A cell of the answer by the setting's name or place; without the setting its first.
std::optional<std::string> answered_cell(const Arguments& settings, std::string_view setting,
                                         const CapturedCells& output) {
  const std::string wanted = settings.has(setting) ? cell_name(settings.json()[std::string(setting)]) : "0";
  const std::optional<std::string>* cell = output.find(wanted);
  return cell ? *cell : std::nullopt;
}

Result<Json> analyze_quality(Analysis& analysis) {
  MR_DO(read_truth(analysis));
  MR_TRY(task, task_of_problem(analysis.inputs.settings));
  const bool probability = analysis.settings.has("probability_attribute") && task == "binary";
  const bool prediction = analysis.settings.has("inference_attribute") || !probability;
  RowCollector rows;
  MR_TRY(tally, for_rows(analysis, [&](const CapturedRow& row) {
           const std::string* label = truth_of(analysis, row);
           if (!label) return;
           const auto guess = answered_cell(analysis.settings, "inference_attribute", row.output);
           const auto chance = answered_cell(analysis.settings, "probability_attribute", row.output);
           if ((prediction && !guess) || (probability && !chance)) return;
           rows.begin_row();
           ++analysis.merged;
           rows.set(kTruth, *label);
           if (prediction) rows.set(kPrediction, guess);
           if (probability) rows.set(kProbability, chance);
         }));
  analysis.tally = tally;
  if (rows.rows() == 0 && tally.rows > 0)
    return invalid("Job inputs had no data: of " + std::to_string(tally.rows) +
                       " captured rows none has a ground truth and an answer",
                   "labels name the inference id of their request; StartTimeOffset and EndTimeOffset give "
                   "them time to come");
  MR_TRY(dataset, write_rows(analysis, rows));
  Json settings = {{"ground_truth_attribute", kTruth}};
  if (prediction) settings["inference_attribute"] = kPrediction;
  if (probability) settings["probability_attribute"] = kProbability;
  copy_settings(analysis.inputs.settings, settings,
                {"problem_type", "probability_threshold_attribute", "positive_label", "bootstrap", "seed"});
  return run_monitor(handed_on(analysis, std::move(dataset), std::move(settings)), analysis.context);
}

// analysis_config.json, and how Clarify's columns are called here.
Result<Json> clarify_config(const Analysis& analysis) {
  const NamedUri* input = analysis.inputs.input("analysis");
  if (!input) return invalid("there is no analysis_config.json", "give the app specification a ConfigUri");
  MR_TRY(text, analysis.context.objects().read(input->uri));
  Json config = Json::parse(text, nullptr, false);
  if (!config.is_object()) return invalid(input->uri + " is no JSON object");
  return config;
}

Result<Json> baseline_analysis(const Analysis& analysis) {
  return baseline_file(analysis.inputs, "constraints", "analysis.json", analysis.context.objects());
}

// Names of the features in their order, from the configuration's headers.
std::vector<std::string> feature_headers(const Json& config) {
  std::vector<std::string> names;
  for (const Json& header : config.value("headers", Json::array()))
    if (header.is_string() && header != config.value("label", Json())) names.push_back(header);
  return names;
}

// The report is about the baseline; the processor's own page stays beside it.
Status put_page_before(const Analysis& analysis, HtmlReport page) {
  const ObjectStore& objects = analysis.context.objects();
  const std::string uri = join_uri(analysis.output, "report.html");
  MR_TRY(own, objects.read(uri));
  MR_DO(objects.write(join_uri(analysis.output, "analysis_report.html"), own));
  return objects.write(uri, page.finish());
}

Result<Json> keep_violations(const Analysis& analysis, const Json& found, Json summary) {
  for (const Json& entry : found["violations"])
    analysis.context.log(entry.value("facet", entry.value("label", "")) + ": " +
                         entry.value("description", ""));
  const std::string uri = join_uri(analysis.output, "constraint_violations.json");
  MR_DO(analysis.context.objects().write(uri, found.dump(2) + "\n"));
  summary["violation_count"] = found["violations"].size();
  summary["violations"] = found["violations"];
  return bounded_summary(std::move(summary), uri, {"rows", "violation_count"});
}

// The decision of a row as a text of the label's kind: the answer itself, or what its probability says.
std::optional<std::string> decision_of(const Analysis& analysis, const Json& config, const CapturedRow& row) {
  if (!analysis.settings.has("probability_attribute") || analysis.settings.has("inference_attribute"))
    return answered_cell(analysis.settings, "inference_attribute", row.output);
  const auto chance = answered_cell(analysis.settings, "probability_attribute", row.output);
  double value = 0;
  if (!chance || !parse_number(*chance, value)) return std::nullopt;
  const Json positive = config.value("label_values_or_threshold", Json::array({1}));
  const std::string yes = cell_name(positive.is_array() && !positive.empty() ? positive[0] : positive);
  const double threshold = analysis.settings.real_or("probability_threshold_attribute", 0.5).value_or(0.5);
  return value >= threshold ? yes : yes == "0" ? "1" : "0";
}

HtmlReport bias_drift_page(const std::vector<BiasDrift>& drift, std::int64_t rows) {
  HtmlReport page("Bias against its baseline");
  const auto violated = std::count_if(drift.begin(), drift.end(), [](const auto& d) { return d.violated; });
  page.figures({{"rows with ground truth", std::to_string(rows)}, {"violations", std::to_string(violated)}});
  page.paragraph(
      "A metric may lie between its value in the baseline and the value that means no bias (0; of DI 1). It "
      "is a "
      "violation when its 95 % interval misses that range.");
  std::vector<HtmlReport::Row> table;
  std::map<std::string, std::vector<std::pair<std::string, double>>> bars;
  for (const BiasDrift& d : drift) {
    table.push_back({{d.facet + " = " + d.value, d.metric, short_number(d.baseline), short_number(d.now),
                      short_number(d.low), short_number(d.high)},
                     d.violated});
    bars[d.facet + " = " + d.value].emplace_back(d.metric, d.now - d.baseline);
  }
  page.table({"group", "metric", "baseline", "now", "from", "to"}, table);
  page.heading("Change since the baseline");
  for (const auto& [facet, changes] : bars) page.chart(draw_bars(facet, "now - baseline", changes));
  return page;
}

Result<Json> analyze_bias(Analysis& analysis) {
  MR_DO(read_truth(analysis));
  MR_TRY(config, clarify_config(analysis));
  const std::string label = text_at(config, {"label"});
  if (label.empty()) return invalid("analysis_config.json has no label");
  const std::string decided = "predicted_" + label;
  const CellNames cells(feature_headers(config), analysis.excluded);
  RowCollector rows;
  MR_TRY(tally, for_rows(analysis, [&](const CapturedRow& row) {
           const std::string* truth = truth_of(analysis, row);
           const auto decision = decision_of(analysis, config, row);
           if (!truth || !decision || !cells.add(row, rows)) return;
           ++analysis.merged;
           rows.set(label, *truth);
           rows.set(decided, decision);
         }));
  analysis.tally = tally;
  MR_TRY(dataset, write_rows(analysis, rows));
  for (const char* name : {"headers", "predictor", "dataset_type", "joinsource_name_or_index"})
    config.erase(name);
  config["predicted_label"] = decided;
  config["bootstrap"] = analysis.settings.integer_or("bootstrap", kBiasBootstrap).value_or(kBiasBootstrap);
  if (config.contains("methods")) config["methods"].erase("shap"), config["methods"].erase("pdp");
  MR_TRY(summary, run_bias(handed_on(analysis, std::move(dataset), config), analysis.context));
  MR_TRY(before, baseline_analysis(analysis));
  if (before.is_null()) return summary;
  MR_TRY(now_text, analysis.context.objects().read(join_uri(analysis.output, "analysis.json")));
  MR_TRY(drift, bias_drift(before, Json::parse(now_text, nullptr, false)));
  Json metrics = Json::array();
  for (const BiasDrift& d : drift)
    metrics.push_back({{"name", "bias_metric_" + d.metric},
                       {"value", d.now},
                       {"dimensions", {{"Facet", d.facet}, {"FacetValue", d.value}, {"Label", label}}}});
  MR_DO(put_page_before(analysis, bias_drift_page(drift, analysis.merged)));
  return keep_violations(analysis, bias_violations(drift),
                         {{"rows", analysis.merged}, {"metrics", std::move(metrics)}});
}

HtmlReport attribution_page(const std::vector<AttributionDrift>& drift, double threshold) {
  HtmlReport page("What answers depend on, against its baseline");
  std::vector<std::pair<std::string, std::string>> figures;
  for (const AttributionDrift& d : drift) figures.emplace_back("nDCG " + d.label, short_number(d.ndcg));
  page.figures(figures);
  page.paragraph("1 means that the features rank as they did in the baseline; below " +
                 short_number(threshold) + " is a violation.");
  for (const AttributionDrift& d : drift) {
    page.heading(d.label);
    std::vector<HtmlReport::Row> table;
    for (std::size_t i = 0; i < d.now.size(); ++i) {
      const auto before = std::find_if(d.baseline.begin(), d.baseline.end(),
                                       [&](const auto& entry) { return entry.first == d.now[i].first; });
      const auto rank = static_cast<std::size_t>(before - d.baseline.begin());
      table.push_back({{d.now[i].first, std::to_string(i + 1), std::to_string(rank + 1),
                        short_number(d.now[i].second), short_number(before->second)},
                       rank != i});
    }
    page.table({"feature", "rank", "rank in the baseline", "attribution", "in the baseline"}, table);
    page.chart(draw_bars("baseline", "attribution", d.baseline));
    page.chart(draw_bars("now", "attribution", d.now));
  }
  return page;
}

Result<Json> analyze_attribution(Analysis& analysis) {
  MR_TRY(config, clarify_config(analysis));
  const CellNames cells(feature_headers(config), analysis.excluded);
  RowCollector rows;
  MR_TRY(tally, for_rows(analysis, [&](const CapturedRow& row) { cells.add(row, rows); }));
  analysis.tally = tally;
  MR_TRY(dataset, write_rows(analysis, rows));
  for (const char* name : {"headers", "dataset_type", "joinsource_name_or_index"}) config.erase(name);
  if (!config.contains("methods")) config["methods"] = Json::object();
  const Json shap = config["methods"].value("shap", Json::object());
  config["methods"] = {{"shap", shap}};
  if (text_at(config, {"predictor", "model_name"}).empty())
    config["predictor"] = {{"model_name", text_at(analysis.inputs.settings, {"model_name"})}};
  MR_DO(run_explain(handed_on(analysis, std::move(dataset), config), analysis.context));
  MR_TRY(before, baseline_analysis(analysis));
  MR_TRY(now_text, analysis.context.objects().read(join_uri(analysis.output, "analysis.json")));
  if (before.is_null()) return Json{{"rows", tally.rows}};
  MR_TRY(drift, attribution_drift(before, Json::parse(now_text, nullptr, false)));
  MR_TRY(threshold, analysis.settings.real_or("attribution_threshold", kAttributionThreshold));
  Json ndcg = Json::object(), metrics = Json::array();
  for (const AttributionDrift& d : drift) {
    ndcg[d.label] = d.ndcg;
    metrics.push_back(
        {{"name", "feature_attribution_drift"}, {"value", d.ndcg}, {"dimensions", {{"Label", d.label}}}});
  }
  MR_DO(put_page_before(analysis, attribution_page(drift, threshold)));
  return keep_violations(analysis, attribution_violations(drift, threshold),
                         {{"rows", tally.rows}, {"ndcg", std::move(ndcg)}, {"metrics", std::move(metrics)}});
}

constexpr std::size_t kMetricsMax = 1'000;  // of a summary

// Summary.metrics of data and quality: each feature's distance, each metric's value.
Json measured(const Json& summary) {
  Json out = Json::array();
  const auto add = [&](std::string name, const Json& value) {
    if (out.size() < kMetricsMax && value.is_number())
      out.push_back({{"name", std::move(name)}, {"value", value}});
  };
  const Json distances = summary.value("distances", Json::object());
  for (const auto& [feature, distance] : distances.items())
    add("feature_baseline_drift_" + feature, distance);
  for (const char* group :
       {"binary_classification_metrics", "multiclass_classification_metrics", "regression_metrics"}) {
    const Json metrics = summary.value(group, Json::object());
    for (const auto& [name, metric] : metrics.items())
      if (metric.is_object() && metric.contains("value")) add(name, metric["value"]);
  }
  return out;
}

struct AnalysisKind {
  std::string_view name;
  Result<Json> (*run)(Analysis& analysis);
};
constexpr AnalysisKind kAnalyses[] = {{"DATA_QUALITY", analyze_data},
                                      {"MODEL_QUALITY", analyze_quality},
                                      {"MODEL_BIAS", analyze_bias},
                                      {"MODEL_EXPLAINABILITY", analyze_attribution}};

}  // namespace

Status check_analyzer(const ProcessingInputs& inputs) {
  MR_DO(check_setting_names(inputs.settings,
                            {"analysis_type",
                             "start_time",
                             "end_time",
                             "problem_type",
                             "inference_attribute",
                             "probability_attribute",
                             "probability_threshold_attribute",
                             "exclude_features",
                             "exclude_variants",
                             "endpoint",
                             "headers",
                             "monitoring_config",
                             "positive_label",
                             "model_name",
                             "schedule",
                             "rows_max",
                             "settle_seconds",
                             "bootstrap",
                             "seed",
                             "attribution_threshold"},
                            "sagemaker-model-monitor-analyzer"));
  const Arguments settings(inputs.settings);
  MR_TRY(type, settings.text("analysis_type"));
  MR_DO(settings.one_of("analysis_type", type, "DATA_QUALITY|MODEL_QUALITY|MODEL_BIAS|MODEL_EXPLAINABILITY"));
  MR_DO(time_setting(settings, "start_time"));
  MR_DO(time_setting(settings, "end_time"));
  if (type == "MODEL_QUALITY") MR_DO(task_of_problem(inputs.settings));
  if (!inputs.input("captured")) return invalid("ProcessingInputs: there is no input named \"captured\"");
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: one output is needed");
  return {};
}

Result<Json> run_analyzer(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_analyzer(inputs));
  MR_TRY(analysis, analysis_of(inputs, context));
  MR_DO(let_settle(analysis));
  const std::string type = text_at(inputs.settings, {"analysis_type"});
  const auto kind = std::find_if(std::begin(kAnalyses), std::end(kAnalyses),
                                 [&](const AnalysisKind& entry) { return entry.name == type; });
  MR_TRY(summary, kind->run(analysis));
  if (!summary.contains("metrics"))
    if (Json metrics = measured(summary); !metrics.empty()) summary["metrics"] = std::move(metrics);
  summary["captured"] = {{"requests", analysis.tally.requests},
                         {"rows", analysis.tally.rows},
                         {"unreadable", analysis.tally.unreadable}};
  if (analysis.inputs.input("ground_truth")) summary["captured"]["with_ground_truth"] = analysis.merged;
  if (const auto count = summary.value("violation_count", std::int64_t{0}); count > 0)
    summary["exit_message"] =
        "CompletedWithViolations: Job completed successfully with " + std::to_string(count) + " violations.";
  return summary;
}

}  // namespace millrace::tasks
