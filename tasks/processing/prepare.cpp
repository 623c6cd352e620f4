#include "tasks/processing/prepare.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/column_pipeline.h"
#include "tasks/processing/row_rules.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kTrain = "train";

// Features of a channel's rows, the target in front where the rows have it.
Result<Table> prepared(const ColumnPipeline& pipeline, const Table& rows) {
  MR_TRY(table, pipeline.apply_to_table(rows));
  const TargetInfo& target = pipeline.target();
  if (target.name.empty() || rows.find(target.name) == nullptr) return table;
  MR_TRY(values, pipeline.read_target(rows));
  table.columns.insert(table.columns.begin(), number_column(target.name, std::move(values)));
  return table;
}

Status write_prepared(const ProcessingInputs& inputs, const std::string& name, const Table& table,
                      const std::string& pipeline, TaskContext& context, Json& result) {
  MR_TRY(uri, inputs.output_for(name));
  MR_DO(context.objects().write(join_uri(uri, kPipelineObject), pipeline));
  MR_DO(write_table(context.objects(), join_uri(uri, kDataObject), table));
  result["rows"][name] = table.rows;
  result["outputs"][name] = uri;
  context.log(name + ": " + std::to_string(table.rows) + " rows, " + std::to_string(table.columns.size()) +
              " columns to " + uri);
  return {};
}

// The types training had, so that a channel's cells are read alike.
CsvOptions typed_like(const Table& training) {
  CsvOptions options;
  for (const Column& column : training.columns) {
    if (column.type == Column::Type::Text) options.types.emplace_back(column.name, column.type);
  }
  return options;
}

}  // namespace

Status check_prepare(const ProcessingInputs& inputs) {
  MR_DO(check_setting_names(inputs.settings,
                            {"target", "target_type", "positive", "steps", "seed", "filter", "balance"},
                            "prepare"));
  MR_TRY(filter, read_row_filter(inputs.settings));
  MR_TRY(balance, read_balance(inputs.settings));
  if (balance != Balance::None && !inputs.settings.contains("target"))
    return invalid("balance: there is no target whose classes could be balanced");
  for (const std::string& channel : filter ? filter->channels : std::vector<std::string>()) {
    if (inputs.input(channel) == nullptr)
      return invalid("filter.channels: there is no input named \"" + channel + "\"");
  }
  if (inputs.input(kTrain) == nullptr) {
    return invalid("ProcessingInputs: prepare needs an input named \"train\" to learn from");
  }
  for (const NamedUri& input : inputs.inputs) MR_DO(inputs.output_for(input.name));
  return {};
}

Result<Json> run_prepare(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_prepare(inputs));
  MR_TRY(seed, Arguments(inputs.settings).integer_or("seed", static_cast<std::int64_t>(context.seed())));
  MR_TRY(training, read_channel(*inputs.input(kTrain), context, 0.2));
  MR_TRY(filter, read_row_filter(inputs.settings));
  MR_TRY(balance, read_balance(inputs.settings));
  const std::function<bool()> cancelled = [&] { return context.cancelled(); };
  if (filter && filter->covers(std::string(kTrain))) {
    MR_TRY(kept, filter_rows(training, *filter, cancelled));
    training = std::move(kept);
  }
  report(context, "Fitting", 0.2, static_cast<std::int64_t>(training.rows));
  MR_TRY(fitted, fit_pipeline(training, inputs.settings, static_cast<std::uint64_t>(seed), cancelled));
  const ColumnPipeline& pipeline = *fitted.pipeline;
  const std::string saved = pipeline.save().dump(1);
  Json result = {{"rows", Json::object()}, {"outputs", Json::object()}};
  std::size_t done = 0;
  for (const NamedUri& input : inputs.inputs) {
    const double fraction =
        0.4 + 0.6 * static_cast<double>(done++) / static_cast<double>(inputs.inputs.size());
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "prepare was cancelled");
    if (input.name == kTrain) {
      report(context, "Writing", fraction);
      MR_TRY(balanced, balanced_rows(std::move(fitted.training), balance,
                                     Random(static_cast<std::uint64_t>(seed)).derive("balance")));
      MR_DO(write_prepared(inputs, input.name, balanced, saved, context, result));
      continue;
    }
    MR_TRY(rows, read_channel(input, context, fraction, typed_like(training)));
    if (filter && filter->covers(input.name)) {
      MR_TRY(kept, filter_rows(rows, *filter, cancelled));
      rows = std::move(kept);
    }
    auto table = prepared(pipeline, rows);
    if (!table)
      return fail(table.error().code, "input \"" + input.name + "\": " + table.error().message,
                  table.error().hint);
    MR_DO(write_prepared(inputs, input.name, *table, saved, context, result));
  }
  result["input_columns"] = pipeline.input_columns();
  result["features"] = pipeline.feature_names().size();
  if (!pipeline.target().name.empty()) {
    result["target"] = {{"name", pipeline.target().name}, {"classes", pipeline.target().classes}};
  }
  return result;
}

}  // namespace millrace::tasks
