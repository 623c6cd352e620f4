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

// Where an input's rows are, and in which form.
ChannelSource source_of(const NamedUri& input);

// The rows of a channel, cells in their spelling; progress goes up to `fraction_end` of the job. Errors name
// the input.
Result<Table> read_channel(const NamedUri& input, TaskContext& context, double fraction_end,
                           CsvOptions options = {});

// The input of that name or of one of Clarify's and SageMaker's other names for it; the only one when there
// is just one besides the model and baseline. InvalidArgument.
Result<const NamedUri*> dataset_input(const ProcessingInputs& inputs, std::string_view processor);
// How its rows are read: `headers` names the columns of files without a header, `dataset_type` must be CSV.
Result<CsvOptions> dataset_options(const Json& settings);

// The column that a name, or a place from 0, stands for. InvalidArgument names the setting and the nearest
// column.
Result<const Column*> column_of(const Table& table, const Json& name_or_index, std::string_view setting);

void report(TaskContext& context, std::string_view phase, double fraction, std::int64_t rows = -1,
            double rows_per_s = -1);

inline constexpr std::size_t kSummaryBytesMax = 100'000;  // of a job's answer, which a workflow carries on
// The summary of a job; when its JSON is longer than kSummaryBytesMax, only where the whole of it is:
// {"summary_is_in": uri}, with the members named in `kept`.
Json bounded_summary(Json summary, const std::string& uri, std::initializer_list<std::string_view> kept = {});

// InvalidArgument for a member that is not in `names`, with the nearest that is.
Status check_setting_names(const Json& settings, std::initializer_list<std::string_view> names,
                           std::string_view what);
// The name of the list with the fewest changes to make it `name`; empty when all are far away.
std::string_view nearest_name(std::string_view name, std::initializer_list<std::string_view> names);

}  // namespace millrace::tasks
