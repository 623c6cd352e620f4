#include "tasks/forecasting/run_series.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kCutMax = 10'000;

struct SeriesJob {
  SeriesGridSettings grid;
  std::int64_t horizon = 0;
};

Result<SeriesJob> series_job(const Json& json) {
  MR_DO(check_setting_names(json,
                            {"frequency", "target_column", "timestamp_column", "item_column", "group_columns",
                             "aggregation", "filling", "horizon"},
                            "series"));
  const Arguments settings(json);
  SeriesJob job;
  MR_TRY(frequency_text, settings.text("frequency"));
  MR_TRY(frequency, parse_frequency(frequency_text));
  if (frequency.unit == TimeUnit::Step || frequency.unit == TimeUnit::BusinessDay)
    return settings.wrong("frequency", "'" + frequency_text + "' is no grid of times");
  MR_TRY(target, settings.text_or("target_column", job.grid.columns.target));
  MR_TRY(time, settings.text_or("timestamp_column", job.grid.columns.time));
  MR_TRY(item, settings.text_or("item_column", job.grid.columns.item));
  MR_TRY(groups, settings.texts("group_columns"));
  MR_TRY(aggregation, settings.text_or("aggregation", "sum"));
  MR_TRY(filling, settings.text_map("filling"));
  MR_TRY(horizon, settings.integer_or("horizon", 0));
  if (horizon < 0 || horizon > kCutMax)
    return settings.wrong("horizon", "expected a number from 0 to " + std::to_string(kCutMax));
  job.grid = {{item, time, target}, groups, frequency, aggregation, filling};
  job.horizon = horizon;
  MR_DO(check_grid_settings(job.grid));
  return job;
}

}  // namespace

CsvOptions grid_csv(const SeriesGridSettings& settings) {
  CsvOptions csv;
  csv.types = {{settings.columns.item, Column::Type::Text},
               {settings.columns.time, Column::Type::Text},
               {settings.columns.target, Column::Type::Number}};
  for (const std::string& group : settings.groups) csv.types.emplace_back(group, Column::Type::Text);
  return csv;
}

Status check_series(const ProcessingInputs& inputs) {
  MR_TRY(job, series_job(inputs.settings));
  if (inputs.input("train") == nullptr)
    return invalid("ProcessingInputs: series needs the input \"train\", rows of series");
  MR_DO(inputs.output_for("all"));
  if (job.horizon > 0) MR_DO(inputs.output_for("train"));
  return {};
}

Result<Json> run_series(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_series(inputs));
  MR_TRY(job, series_job(inputs.settings));
  const NamedUri& input = *inputs.input("train");
  MR_TRY(table, read_channel(input, context, 0.6, grid_csv(job.grid)));
  MR_TRY(grid, make_series_grid(table, input.uri, job.grid));
  MR_TRY(all, inputs.output_for("all"));
  MR_DO(context.objects().write(join_uri(all, kDataObject), series_rows(grid.set, 0)));
  if (job.horizon > 0) {
    MR_TRY(train, inputs.output_for("train"));
    MR_DO(context.objects().write(join_uri(train, kDataObject),
                                  series_rows(grid.set, static_cast<std::size_t>(job.horizon))));
  }
  std::size_t steps = 0;
  for (const TimeSeries& series : grid.set.series) steps += series.values.size();
  return Json{{"rows", grid.rows},       {"series", grid.set.series.size()},
              {"steps", steps},          {"aggregated", grid.aggregated},
              {"missing", grid.missing}, {"filled", grid.filled}};
}

}  // namespace millrace::tasks
