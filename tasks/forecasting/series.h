#pragma once
// Series as jobs and requests give them, in two forms:
//
//   JSON lines (DeepAR)  {"start": "2009-11-01 00:00:00", "target": [4, "NaN", 5.1], "cat": [0],
//                        "dynamic_feat": [[1, 1, 0]], "item_id": "…"}; null and "NaN" are missing; item_id is
//                        ours
//   CSV, long form       item_id,timestamp,target_value, in any order of rows; without a header these three
//   in this (Forecast, Canvas)   order; an empty cell is missing, a time that does not come is a gap
//
// Source: DeepAR's input/output interface; Amazon Forecast, target time series. Any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/forecasting/calendar.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

struct TimeSeries {
  std::string item_id;
  std::int64_t start = 0;                     // see calendar.h
  std::vector<double> values;                 // NaN is missing
  std::vector<std::vector<double>> features;  // dynamic_feat; of requests horizon longer than values
  bool has_target = true;                     // a request may name an item and leave its values out
};

struct SeriesSet {
  Frequency frequency;  // Step when times are whole numbers
  std::vector<TimeSeries> series;
};

struct SeriesColumns {
  std::string item = "item_id", time = "timestamp", target = "target_value";
};

inline constexpr std::size_t kSeriesMax = 1'000'000;
inline constexpr std::size_t kSeriesStepsMax = 10'000'000;  // of one series, its gaps included
inline constexpr std::size_t kSeriesFeaturesMax = 100;

// `frequency`: as the job says; nothing: what the times of the CSV show. Errors are InvalidArgument and name
// `name`, the line and the field: `s3://b/train.jsonl:3: target[17]: …`, `…: item 'A', timestamp
// '2009-13-01': …`; LimitExceeded for the limits above.
Result<SeriesSet> parse_series_csv(std::string_view text, std::string_view name, const SeriesColumns& columns,
                                   const std::optional<Frequency>& frequency);
Result<SeriesSet> parse_series_json_lines(std::string_view text, std::string_view name,
                                          const std::optional<Frequency>& frequency);
// One object of the second form; `where` begins messages. A missing item_id is `item`.
Result<TimeSeries> parse_series_object(const Json& object, const std::string& where, std::string item);
// All objects of a channel, by the content type or, when the job does not say, by their first character.
Result<SeriesSet> read_series(const ObjectChannel& channel, const SeriesColumns& columns,
                              const std::optional<Frequency>& frequency);

// Finite values: what is missing at the beginning is left out (`dropped` says how many), gaps are filled by
// the value one season before where there is one, else along a line. Empty when nothing is there.
struct FilledSeries {
  std::vector<double> values;
  std::size_t dropped = 0;
};
FilledSeries fill_gaps(const std::vector<double>& values, int season);

}  // namespace millrace::tasks
