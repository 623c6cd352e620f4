#include "tasks/bias/run_bias.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/bias/analysis_config.h"
#include "tasks/bias/bias_metrics.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/row_scorer.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

struct BiasStageNames {
  BiasStage stage;
  std::string_view setting, section, title;
};
constexpr BiasStageNames kBiasStages[] = {
    {BiasStage::PreTraining, "pre_training_bias", "pre_training_bias_metrics", "Bias in the labels"},
    {BiasStage::PostTraining, "post_training_bias", "post_training_bias_metrics", "Bias in the predictions"}};

// The metrics that settings.methods asks for at a stage; without `methods` all of them.
Result<std::vector<const BiasMetric*>> metrics_asked(const Json& settings, const BiasStageNames& names) {
  std::vector<const BiasMetric*> all;
  for (const BiasMetric& metric : bias_metrics()) {
    if (metric.stage == names.stage) all.push_back(&metric);
  }
  const Arguments arguments(settings);
  if (!arguments.has("methods")) return all;
  MR_TRY(methods, arguments.object("methods"));
  if (!methods.has(names.setting)) return std::vector<const BiasMetric*>();
  MR_TRY(stage, methods.object(names.setting));
  const std::vector<Json> asked = list_of(stage.json(), "methods");
  if (asked.empty() || (asked.size() == 1 && asked[0] == "all")) return all;
  std::vector<const BiasMetric*> out;
  std::string known;
  for (const BiasMetric* metric : all) {
    known += (known.empty() ? "" : ", ") + std::string(metric->name);
    if (std::find(asked.begin(), asked.end(), Json(metric->name)) != asked.end()) out.push_back(metric);
  }
  for (const Json& name : asked) {
    const bool there =
        std::any_of(all.begin(), all.end(), [&](const BiasMetric* m) { return name == Json(m->name); });
    if (!there) return stage.wrong("methods", name.dump() + " is not a metric", "metrics: all, " + known);
  }
  return out;
}

struct Facet {
  Json column;               // a name or a place
  std::vector<Json> values;  // empty: each value of the column by turns
};

Result<std::vector<Facet>> read_facets(const Json& settings) {
  std::vector<Facet> out;
  for (const Json& entry : list_of(settings, "facet")) {
    if (!entry.is_object() || !entry.contains("name_or_index"))
      return invalid("facet: expected {\"name_or_index\": …, \"value_or_threshold\": [ … ]}, got " +
                     entry.dump().substr(0, 100));
    MR_DO(check_setting_names(entry, {"name_or_index", "value_or_threshold"}, "facet"));
    out.push_back({entry["name_or_index"], list_of(entry, "value_or_threshold")});
  }
  if (out.empty())
    return invalid("facet is required: the columns whose groups are compared",
                   R"("facet": [{"name_or_index": "sex", "value_or_threshold": ["Female"]}])");
  return out;
}

// What is the same for all facets.
struct BiasData {
  const Table* table = nullptr;
  const Column* label = nullptr;
  ChosenRows positive;
  std::vector<std::uint8_t> predicted;  // empty: none
  const Column* group = nullptr;        // null: none
  std::vector<std::string> not_features;
  std::int64_t samples = 0;  // for the metrics' intervals
};

// Predicted positive: the class, or a number above the threshold, that labels are chosen by.
Result<std::vector<std::uint8_t>> predicted_by_model(const RowScorer& scorer, const Matrix& scores,
                                                     const BiasData& data, const std::vector<Json>& values,
                                                     double threshold) {
  Column predicted;
  predicted.name = "the model's predictions";
  const std::vector<std::string>& classes = scorer.target().classes;
  std::vector<std::string> names;
  std::vector<double> numbers;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const auto row = MatrixView(scores).row(i);
    double value = row[0];
    if (scorer.task() == "binary") value = static_cast<double>(row[0]) >= threshold ? 1 : 0;
    if (scorer.task() == "multiclass")
      value = static_cast<double>(std::max_element(row.begin(), row.end()) - row.begin());
    const auto place = static_cast<std::size_t>(value);
    if (scorer.task() != "regression" && place < classes.size()) names.push_back(classes[place]);
    numbers.push_back(value);
  }
  const bool named = names.size() == scores.rows && data.label->type == Column::Type::Text;
  if (!named && !classes.empty() && scorer.task() != "regression") {
    for (std::size_t i = 0; i < names.size(); ++i) {
      double number = 0;
      if (names.size() == numbers.size() && parse_number(names[i], number)) numbers[i] = number;
    }
  }
  predicted = named ? text_column(predicted.name, std::move(names))
                    : number_column(predicted.name, std::move(numbers));
  auto chosen = choose_rows(predicted, values, "label_values_or_threshold", is_continuous(*data.label));
  if (!chosen) {  // no row is predicted positive: that is an answer, not an error
    return std::vector<std::uint8_t>(scores.rows);
  }
  return std::move(chosen->chosen);
}

// A value or null, with the reason; infinite values as Clarify writes them.
Result<Json> metric_json(const BiasMetric& metric, const BiasRows& rows, const BiasCounts& counts) {
  Json out = {{"name", metric.name}, {"description", metric.description}};
  auto value = metric.value(rows, counts);
  if (!value && value.error().code == ErrorCode::Cancelled) return fail(value.error());
  if (!value) {
    out["value"] = nullptr;
    out["error"] = value.error().message;
  } else if (std::isinf(*value)) {
    out["value"] = *value > 0 ? "Infinity" : "-Infinity";
  } else {
    out["value"] = *value;
  }
  return out;
}

// Columns of numbers that are neither facet nor label nor left out, as the flip test compares rows.
Matrix flip_features(const BiasData& data, const Column& facet, const std::vector<std::size_t>& kept) {
  std::vector<const Column*> columns;
  for (const Column& column : data.table->columns) {
    const bool out =
        &column == &facet || &column == data.label ||
        std::find(data.not_features.begin(), data.not_features.end(), column.name) != data.not_features.end();
    if (!out && column.type == Column::Type::Number) columns.push_back(&column);
  }
  Matrix features(kept.size(), columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (std::size_t i = 0; i < kept.size(); ++i)
      features.at(i, c) = static_cast<float>(columns[c]->numbers[kept[i]]);
  }
  return features;
}

// Rows that have a label and a facet, as the metrics look at them.
BiasRows rows_of(const BiasData& data, const Column& facet, const ChosenRows& chosen) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < data.table->rows; ++i) {
    if (!is_missing(*data.label, i) && !is_missing(facet, i)) kept.push_back(i);
  }
  BiasRows out;
  std::map<std::string, std::uint32_t> groups;
  const Column texts = data.group != nullptr ? as_texts(*data.group) : Column();
  for (const std::size_t i : kept) {
    out.facet.push_back(chosen.chosen[i]);
    out.label.push_back(data.positive.chosen[i]);
    if (!data.predicted.empty()) out.predicted.push_back(data.predicted[i]);
    if (data.group == nullptr) continue;
    const auto next = static_cast<std::uint32_t>(groups.size());
    out.group.push_back(groups.emplace(texts.texts[i], next).first->second);
  }
  out.features = flip_features(data, facet, kept);
  return out;
}

constexpr std::int64_t kBootstrapMax = 10'000;
constexpr std::size_t kIntervalRowsMax = 100'000;  // of a sample that intervals come from

BiasRows resampled(const BiasRows& rows, Random& random) {
  BiasRows out;
  const std::size_t count = std::min(rows.rows(), kIntervalRowsMax);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(random.below(rows.rows()));
    out.facet.push_back(rows.facet[at]);
    out.label.push_back(rows.label[at]);
    if (!rows.predicted.empty()) out.predicted.push_back(rows.predicted[at]);
    if (!rows.group.empty()) out.group.push_back(rows.group[at]);
  }
  return out;
}

// "lower" and "upper" of the metrics: the 95 % interval over samples of the rows. None for FT, whose
// distances between rows would be looked for in every sample.
Status add_intervals(const BiasRows& rows, const std::vector<const BiasMetric*>& metrics,
                     std::int64_t samples, TaskContext& context, Json& entries) {
  std::vector<std::vector<double>> values(metrics.size());
  Random random = Random(context.seed()).derive("bias intervals");
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "bias was cancelled");
    const BiasRows drawn = resampled(rows, random);
    const BiasCounts counts = count_bias(drawn);
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      if (metrics[m]->name == "FT") continue;
      const auto value = metrics[m]->value(drawn, counts);
      if (value && std::isfinite(*value)) values[m].push_back(*value);
    }
  }
  for (std::size_t m = 0; m < metrics.size(); ++m) {
    if (values[m].size() < 2 || !entries[m]["value"].is_number()) continue;
    std::sort(values[m].begin(), values[m].end());
    const auto quantile = [&](double share) {
      return values[m][static_cast<std::size_t>(share * static_cast<double>(values[m].size() - 1))];
    };
    entries[m]["lower"] = quantile(0.025);
    entries[m]["upper"] = quantile(0.975);
  }
  return {};
}

// One entry of "facets": {"value_or_threshold": …, "metrics": […]}.
Result<Json> facet_json(const BiasData& data, const Column& column, const ChosenRows& chosen,
                        const std::vector<const BiasMetric*>& metrics, TaskContext& context) {
  BiasRows rows = rows_of(data, column, chosen);
  rows.cancelled = [&] { return context.cancelled(); };
  const BiasCounts counts = count_bias(rows);
  if (counts.rows(0) == 0 || counts.rows(1) == 0)
    return invalid("facet \"" + column.name + "\": " + (counts.rows(0) == 0 ? "every" : "no") + " row is " +
                   chosen.description + "; there is nothing to compare");
  Json out = {{"value_or_threshold", chosen.description}, {"metrics", Json::array()}};
  for (const BiasMetric* metric : metrics) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "bias was cancelled");
    MR_TRY(entry, metric_json(*metric, rows, counts));
    out["metrics"].push_back(std::move(entry));
  }
  if (data.samples > 0) MR_DO(add_intervals(rows, metrics, data.samples, context, out["metrics"]));
  return out;
}

Result<Json> stage_json(const BiasData& data, const std::vector<Facet>& facets,
                        const std::vector<const BiasMetric*>& metrics, TaskContext& context) {
  Json out = {{"label", data.label->name},
              {"facets", Json::object()},
              {"label_value_or_threshold", data.positive.description}};
  for (const Facet& facet : facets) {
    MR_TRY(column, column_of(*data.table, facet.column, "facet.name_or_index"));
    std::vector<std::vector<Json>> choices = {facet.values};
    if (facet.values.empty()) {
      if (is_continuous(*column))
        return invalid("facet \"" + column->name + "\" is continuous: value_or_threshold is required");
      MR_TRY(values, values_of(*column));
      choices.clear();
      for (const Json& value : values) choices.push_back({value});
    }
    Json& entries = out["facets"][column->name];
    if (entries.is_null()) entries = Json::array();
    for (const std::vector<Json>& values : choices) {
      MR_TRY(chosen, choose_rows(*column, values, "facet.value_or_threshold", is_continuous(*column)));
      MR_TRY(entry, facet_json(data, *column, chosen, metrics, context));
      entries.push_back(std::move(entry));
    }
  }
  return out;
}

std::string cell_of(const Json& value) {
  if (value.is_number()) return short_number(value.get<double>());
  return value.is_string() ? value.get<std::string>() : "-";
}

void report_stage(HtmlReport& page, const Json& stage) {
  for (const auto& [name, entries] : stage["facets"].items()) {
    for (const Json& entry : entries) {
      const std::string facet = name + " = " + entry["value_or_threshold"].get<std::string>();
      std::vector<HtmlReport::Row> rows;
      std::vector<std::pair<std::string, double>> bars;
      for (const Json& metric : entry["metrics"]) {
        const auto short_name = metric["name"].get<std::string>();
        rows.push_back({{short_name, metric["description"].get<std::string>(), cell_of(metric["value"]),
                         metric.value("error", std::string())},
                        false});
        if (metric["value"].is_number()) bars.emplace_back(short_name, metric["value"].get<double>());
      }
      page.paragraph("The group " + facet + " against all other rows.");
      page.table({"metric", "what", "value", "note"}, rows);
      if (!bars.empty()) page.chart(draw_bars(facet, "0 means no difference (DI: 1)", bars));
    }
  }
}

std::string bias_page(const Json& analysis, const BiasData& data) {
  HtmlReport page("Bias");
  page.figures({{"rows", std::to_string(data.table->rows)},
                {"label", data.label->name},
                {"positive", data.positive.description}});
  for (const BiasStageNames& names : kBiasStages) {
    if (!analysis.contains(names.section)) continue;
    page.heading(names.title);
    report_stage(page, analysis[std::string(names.section)]);
  }
  return page.finish();
}

Result<std::vector<std::uint8_t>> predictions_of(const ProcessingInputs& inputs, const NamedUri& dataset,
                                                 const BiasData& data, const std::vector<Json>& values,
                                                 TaskContext& context) {
  const Arguments arguments(inputs.settings);
  if (arguments.has("predicted_label")) {
    MR_TRY(column, column_of(*data.table, inputs.settings["predicted_label"], "predicted_label"));
    auto chosen = choose_rows(*column, values, "predicted_label", is_continuous(*data.label));
    if (!chosen) return std::vector<std::uint8_t>(data.table->rows);
    return std::move(chosen->chosen);
  }
  MR_TRY(model, analysed_model(inputs, context));
  if (model.empty()) return std::vector<std::uint8_t>();
  MR_TRY(threshold, arguments.real_or("probability_threshold", 0.5));
  MR_TRY(scorer, RowScorer::load(context.objects(), model, holds_features(context.objects(), dataset)));
  MR_TRY(scores, scorer.predict(*data.table, context));
  return predicted_by_model(scorer, scores, data, values, threshold);
}

}  // namespace

Status check_bias(const ProcessingInputs& inputs) {
  const Json& settings = inputs.settings;
  MR_DO(check_setting_names(
      settings,
      {"label", "label_values_or_threshold", "facet", "group_variable", "predicted_label",
       "probability_threshold", "excluded_columns", "bootstrap", "headers", "dataset_type", "methods",
       "version", "predictor", "dataset_uri", "label_headers", "probability", "joinsource_name_or_index"},
      "bias"));
  const Arguments arguments(settings);
  if (!arguments.has("label")) return invalid("label is required: the column with the truth");
  if (!arguments.has("label_values_or_threshold"))
    return invalid("label_values_or_threshold is required: the values that count as positive");
  MR_TRY(threshold, arguments.real_or("probability_threshold", 0.5));
  if (!(threshold >= 0 && threshold <= 1))
    return arguments.wrong("probability_threshold", "must be between 0 and 1");
  MR_DO(arguments.texts("excluded_columns"));
  MR_TRY(samples, arguments.integer_or("bootstrap", 0));
  if (samples < 0 || samples > kBootstrapMax)
    return arguments.wrong("bootstrap", "must be between 0 and " + std::to_string(kBootstrapMax));
  MR_DO(read_facets(settings));
  MR_DO(dataset_options(settings));
  MR_DO(dataset_input(inputs, "bias"));
  MR_TRY(before, metrics_asked(settings, kBiasStages[0]));
  MR_TRY(after, metrics_asked(settings, kBiasStages[1]));
  if (before.empty() && after.empty())
    return arguments.wrong("methods", "neither pre_training_bias nor post_training_bias is asked for");
  if (before.empty() && !names_model(inputs) && !arguments.has("predicted_label"))
    return invalid(
        "post_training_bias needs an input named \"model\", predictor.model_name or predicted_label");
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: bias needs one output");
  return {};
}

Result<Json> run_bias(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_bias(inputs));
  const Json& settings = inputs.settings;
  MR_TRY(facets, read_facets(settings));
  MR_TRY(options, dataset_options(settings));
  MR_TRY(dataset, dataset_input(inputs, "bias"));
  MR_TRY(table, read_channel(*dataset, context, 0.3, options));
  BiasData data;
  data.table = &table;
  MR_TRY(label, column_of(table, settings["label"], "label"));
  data.label = label;
  const std::vector<Json> values = list_of(settings, "label_values_or_threshold");
  MR_TRY(positive, choose_rows(*label, values, "label_values_or_threshold", is_continuous(*label)));
  data.positive = std::move(positive);
  const Arguments arguments(settings);
  if (arguments.has("group_variable")) {
    MR_TRY(group, column_of(table, settings["group_variable"], "group_variable"));
    data.group = group;
  }
  MR_TRY(excluded, arguments.texts("excluded_columns"));
  data.not_features = std::move(excluded);
  MR_TRY(samples, arguments.integer_or("bootstrap", 0));
  data.samples = samples;
  if (arguments.has("predicted_label")) {
    MR_TRY(column, column_of(table, settings["predicted_label"], "predicted_label"));
    data.not_features.push_back(column->name);
  }
  MR_TRY(predicted, predictions_of(inputs, *dataset, data, values, context));
  data.predicted = std::move(predicted);
  report(context, "Analyzing", 0.6, static_cast<std::int64_t>(table.rows));
  Json analysis = {{"version", "1.0"}};
  for (const BiasStageNames& names : kBiasStages) {
    if (names.stage == BiasStage::PostTraining && data.predicted.empty()) continue;
    MR_TRY(metrics, metrics_asked(settings, names));
    if (metrics.empty()) continue;
    MR_TRY(stage, stage_json(data, facets, metrics, context));
    analysis[std::string(names.section)] = std::move(stage);
  }
  const std::string& uri = inputs.outputs[0].uri;
  MR_DO(context.objects().write(join_uri(uri, "report.html"), bias_page(analysis, data)));
  MR_DO(context.objects().write(join_uri(uri, "analysis.json"), analysis.dump(2) + "\n"));
  return bounded_summary(std::move(analysis), join_uri(uri, "analysis.json"));
}

}  // namespace millrace::tasks
