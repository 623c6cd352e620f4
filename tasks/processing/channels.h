#pragma once
// What the processors share: reading a channel with progress, and refusing settings that do not exist. Worker
// thread.

#include <initializer_list>
#include <string_view>

#include "tasks/artifacts/read_table.h"
#include "tasks/processing/processors.h"

namespace millrace::tasks {

inline constexpr std::string_view kDataObject = "data.csv";  // what a processor calls the rows it writes
inline constexpr std::string_view kPipelineObject =
    "_pipeline.json";  // beside them, when `prepare` wrote them

// The rows of a channel, cells in their spelling; progress goes up to `fraction_end` of the job. Errors name
// the input.
Result<Table> read_channel(const NamedUri& input, TaskContext& context, double fraction_end,
                           CsvOptions options = {});

void report(TaskContext& context, std::string_view phase, double fraction, std::int64_t rows = -1,
            double rows_per_s = -1);

// InvalidArgument for a member that is not in `names`, with the nearest that is.
Status check_setting_names(const Json& settings, std::initializer_list<std::string_view> names,
                           std::string_view what);
// The name of the list with the fewest changes to make it `name`; empty when all are far away.
std::string_view nearest_name(std::string_view name, std::initializer_list<std::string_view> names);

}  // namespace millrace::tasks
