#pragma once
// The processor `series`: rows of many series, of any columns, as item_id,timestamp,target_value on a regular
// grid (series_grid.h), with and without the steps that forecasts are judged by. Worker thread.
//
// Input: `train`, CSV with a header. Settings: `frequency` ("1D"), `target_column`, `timestamp_column`,
// `item_column`, `group_columns` ([]), `aggregation` ("sum"), `filling` ({"middlefill": "zero"}), `horizon`
// (0). Outputs: `all`, every step; with a horizon also `train`, without the last so many of each series.

#include "tasks/forecasting/series_grid.h"
#include "tasks/processing/processors.h"

namespace millrace::tasks {

// How the columns of a grid are read.
CsvOptions grid_csv(const SeriesGridSettings& settings);

Status check_series(const ProcessingInputs& inputs);
Result<Json> run_series(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
