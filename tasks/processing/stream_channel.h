#pragma once
// A channel's rows piece by piece, in bounded memory: for work that looks at each row once. Worker thread.

#include <functional>

#include "tasks/processing/processors.h"
#include "tasks/table/csv.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

inline constexpr std::size_t kStreamBytes = std::size_t{4} << 20;  // of text at a time

// Calls `take` with the rows of each piece, in order; cells keep their spelling, and a column may be numbers
// in one piece and text in another. Progress goes up to `fraction_end` of the job. InvalidArgument: as
// parse_csv, no rows, or objects whose columns differ; LimitExceeded: a line longer than kCsvLineBytesMax;
// Cancelled; an error of `take`.
Status stream_channel(const NamedUri& input, TaskContext& context, double fraction_end,
                      const CsvOptions& options, const std::function<Status(const Table& piece)>& take);

}  // namespace millrace::tasks
