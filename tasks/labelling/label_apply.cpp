#include "tasks/labelling/label_apply.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/processing/channels.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

struct ApplySettings {
  std::string label, attribute, id_column;
  double precision = 0.95;
  std::size_t rows_min = 10;
};

Result<ApplySettings> read_apply_settings(const Json& json) {
  MR_DO(check_setting_names(json, {"label_column", "attribute", "target_precision", "min_rows", "id_column"},
                            "label-apply"));
  const Arguments arguments(json);
  ApplySettings settings;
  MR_TRY(label, arguments.text_or("label_column", "label"));
  MR_TRY(attribute, arguments.text_or("attribute", label));
  MR_TRY(id, arguments.text_or("id_column", ""));
  MR_TRY(precision, arguments.real_or("target_precision", 0.95));
  MR_TRY(rows, arguments.integer_or("min_rows", 10));
  if (!(precision > 0 && precision <= 1))
    return arguments.wrong("target_precision", "must be above 0, at most 1");
  if (rows < 1 || rows > 1'000'000) return arguments.wrong("min_rows", "must be from 1 to 1000000");
  settings.label = std::move(label), settings.attribute = std::move(attribute),
  settings.id_column = std::move(id);
  settings.precision = precision, settings.rows_min = static_cast<std::size_t>(rows);
  return settings;
}

// What became of a row.
struct RowLabel {
  std::string label;
  bool human = false;
  double confidence = 0;
};

// The thresholds of a model's classes, chosen on rows whose labels are known.
Result<std::vector<std::optional<ClassThreshold>>> thresholds_of(const ProcessingInputs& inputs,
                                                                 const ApplySettings& settings,
                                                                 TaskContext& context) {
  const NamedUri& input = *inputs.input("validation");
  MR_TRY(rows, read_channel(input, context, 0.4));
  const Column* truth = rows.find(settings.label);
  if (!truth)
    return invalid("input \"validation\" has no column \"" + settings.label + "\"", "label_column names it");
  MR_TRY(scores, class_scores(*inputs.input("model"), input, rows, context));
  const Column texts = as_texts(*truth);
  std::vector<std::vector<std::pair<double, bool>>> by_class(scores.classes.size());
  for (std::size_t row = 0; row < rows.rows; ++row) {
    if (is_missing(*truth, row)) continue;
    const std::size_t best = scores.best(row);
    by_class[best].emplace_back(static_cast<double>(scores.probabilities.at(row, best)),
                                texts.texts[row] == scores.classes[best]);
  }
  std::vector<std::optional<ClassThreshold>> thresholds;
  for (const auto& of_class : by_class)
    thresholds.push_back(choose_class_threshold(of_class, settings.precision, settings.rows_min));
  return thresholds;
}

Json threshold_summary(const std::vector<std::string>& classes,
                       const std::vector<std::optional<ClassThreshold>>& thresholds) {
  Json summary = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (thresholds[c])
      summary[classes[c]] = {{"confidence", thresholds[c]->confidence},
                             {"validation_rows", thresholds[c]->rows},
                             {"validation_precision", thresholds[c]->precision}};
    else
      summary[classes[c]] = nullptr;
  }
  return summary;
}

Table with_labels(const Table& pool, const std::vector<std::optional<RowLabel>>& labels,
                  const std::string& name) {
  std::vector<std::uint32_t> rows;
  std::vector<std::string> texts;
  for (std::size_t row = 0; row < pool.rows; ++row)
    if (labels[row]) rows.push_back(static_cast<std::uint32_t>(row)), texts.push_back(labels[row]->label);
  Table table = select_rows(pool, rows);
  std::erase_if(table.columns, [&](const Column& column) { return column.name == name; });
  table.columns.push_back(text_column(name, std::move(texts)));
  return table;
}

Table open_table(const Table& pool, const std::vector<std::optional<RowLabel>>& labels) {
  std::vector<std::uint32_t> rows;
  for (std::size_t row = 0; row < pool.rows; ++row)
    if (!labels[row]) rows.push_back(static_cast<std::uint32_t>(row));
  return select_rows(pool, rows);
}

Result<Table> label_sources(const Table& pool, const std::vector<std::optional<RowLabel>>& labels,
                            const ApplySettings& settings) {
  std::vector<std::string> keys, texts, sources;
  std::vector<double> confidences;
  for (std::size_t row = 0; row < pool.rows; ++row) {
    if (!labels[row]) continue;
    MR_TRY(key, row_key(pool, row, settings.id_column));
    keys.push_back(std::move(key));
    texts.push_back(labels[row]->label);
    sources.emplace_back(labels[row]->human ? "human" : "machine");
    confidences.push_back(labels[row]->confidence);
  }
  Table table;
  table.rows = keys.size();
  table.columns = {text_column(settings.id_column.empty() ? "row" : settings.id_column, std::move(keys)),
                   text_column("label", std::move(texts)), text_column("label_source", std::move(sources)),
                   number_column("confidence", std::move(confidences))};
  return table;
}

struct Applied {
  std::vector<std::optional<RowLabel>> labels;
  std::size_t human = 0, machine = 0;
  Json thresholds = Json::object();
};

Status apply_people(const ProcessingInputs& inputs, const Table& pool, const ApplySettings& settings,
                    TaskContext& context, Applied& applied) {
  const NamedUri* input = inputs.input("labels");
  if (!input) return {};
  MR_TRY(known, read_row_labels(context.objects(), input->uri, settings.attribute, settings.id_column));
  for (std::size_t row = 0; row < pool.rows; ++row) {
    MR_TRY(key, row_key(pool, row, settings.id_column));
    const auto found = known.find(key);
    if (found == known.end()) continue;
    applied.labels[row] = RowLabel{found->second, true, 1};
    ++applied.human;
  }
  return {};
}

Status apply_model(const ProcessingInputs& inputs, const Table& pool, const ApplySettings& settings,
                   TaskContext& context, Applied& applied) {
  const NamedUri* model = inputs.input("model");
  if (!model) return {};
  MR_TRY(thresholds, thresholds_of(inputs, settings, context));
  MR_TRY(scores, class_scores(*model, *inputs.input("pool"), pool, context));
  for (std::size_t row = 0; row < pool.rows; ++row) {
    if (applied.labels[row]) continue;  // people come first
    const std::size_t best = scores.best(row);
    const auto confidence = static_cast<double>(scores.probabilities.at(row, best));
    if (!thresholds[best] || confidence < thresholds[best]->confidence) continue;
    applied.labels[row] = RowLabel{scores.classes[best], false, confidence};
    ++applied.machine;
  }
  applied.thresholds = threshold_summary(scores.classes, thresholds);
  return {};
}

}  // namespace

std::optional<ClassThreshold> choose_class_threshold(std::span<const std::pair<double, bool>> rows,
                                                     double target, std::size_t rows_min) {
  std::vector<std::pair<double, bool>> sorted(rows.begin(), rows.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::optional<ClassThreshold> chosen;
  std::size_t right = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    right += sorted[i].second;
    // Rows with the same confidence are labelled together.
    if (i + 1 < sorted.size() && sorted[i + 1].first == sorted[i].first) continue;
    const double precision = static_cast<double>(right) / static_cast<double>(i + 1);
    if (i + 1 >= rows_min && precision >= target) chosen = ClassThreshold{sorted[i].first, i + 1, precision};
  }
  return chosen;
}

Status check_label_apply(const ProcessingInputs& inputs) {
  MR_DO(read_apply_settings(inputs.settings));
  if (!inputs.input("pool")) return invalid("ProcessingInputs: label-apply needs an input named \"pool\"");
  if (!inputs.input("labels") && !inputs.input("model"))
    return invalid("ProcessingInputs: label-apply needs \"labels\", a \"model\", or both");
  if (inputs.input("model") && !inputs.input("validation"))
    return invalid(
        "ProcessingInputs: with a model label-apply needs \"validation\", rows whose labels are known");
  MR_DO(inputs.output_for("labelled"));
  return {};
}

Result<Json> run_label_apply(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_label_apply(inputs));
  MR_TRY(settings, read_apply_settings(inputs.settings));
  MR_TRY(pool, read_channel(*inputs.input("pool"), context, 0.3));
  Applied applied;
  applied.labels.resize(pool.rows);
  MR_DO(apply_people(inputs, pool, settings, context, applied));
  MR_DO(apply_model(inputs, pool, settings, context, applied));
  MR_TRY(uri, inputs.output_for("labelled"));
  const ObjectStore& objects = context.objects();
  MR_TRY(sources, label_sources(pool, applied.labels, settings));
  MR_DO(write_table(objects, join_uri(uri, kDataObject), with_labels(pool, applied.labels, settings.label)));
  MR_DO(write_table(objects, join_uri(uri, "_labels.csv"), sources));
  for (const NamedUri& output : inputs.outputs)
    if (output.name == "open")
      MR_DO(write_table(objects, join_uri(output.uri, kDataObject), open_table(pool, applied.labels)));
  const std::size_t all = applied.human + applied.machine;
  context.log(std::to_string(applied.human) + " rows labelled by people, " + std::to_string(applied.machine) +
              " by the model, " + std::to_string(pool.rows - all) + " open");
  return Json{{"rows", pool.rows},
              {"human", applied.human},
              {"machine", applied.machine},
              {"open", pool.rows - all},
              {"thresholds", std::move(applied.thresholds)},
              {"labelled", uri}};
}

}  // namespace millrace::tasks
