#pragma once
// Rows of many series on a regular grid of times: several rows of a step are aggregated, gaps are filled as
// asked. Pure. Source: SageMaker API reference, TimeSeriesTransformations.
//
// Times that are whole steps apart already, one row a step, stay as they are. Else all move to the beginning
// of their step: minutes, hours and days counted from 1970, weeks from a Monday, months and years from their
// first day.

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/forecasting/series.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

struct SeriesGridSettings {
  SeriesColumns columns;
  std::vector<std::string> groups = {};  // columns that name a series together with columns.item
  Frequency frequency = {};
  std::string aggregation = "sum";  // avg, first, min, max
  // SageMaker's: middlefill (between the first and the last value of a series) and backfill (from there to
  // the end of all series): zero, value, median, mean, min, max; with `value` a number in middlefill_value
  // and backfill_value; frontfill: none. What is not named stays a gap.
  std::map<std::string, std::string> filling = {};
};

struct SeriesGrid {
  SeriesSet set;                         // items with "|" between the parts of their names, in order of name
  std::size_t rows = 0, aggregated = 0;  // that were read; that share a step with an earlier one
  std::size_t missing = 0, filled = 0;   // steps between first and last without a value; those that got one
  bool moved = false;                    // times are now the beginnings of their steps
};

// InvalidArgument names the setting.
Status check_grid_settings(const SeriesGridSettings& settings);
// The columns must have been read as text, the target's as numbers. `name`: of the data, for messages.
// InvalidArgument: a column is missing, a cell is no time (row and column are named); LimitExceeded.
Result<SeriesGrid> make_series_grid(const Table& table, std::string_view name,
                                    const SeriesGridSettings& settings);
// Rows item_id, timestamp, target_value: one for each step from `skip_end` steps before the end on left out.
std::string series_rows(const SeriesSet& set, std::size_t skip_end);

// The time that begins the step of `time`, in seconds since 1970.
std::int64_t step_begin(std::int64_t time, const Frequency& frequency);

}  // namespace millrace::tasks
