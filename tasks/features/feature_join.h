#pragma once
// feature-join: rows of a training set from feature groups: to each row of a spine (an identifier and a time)
// the features that were known then, from the offline stores of several groups. SageMaker's DatasetBuilder is
// the model: base or spine, point_in_time_accurate_join, include_duplicated_records, include_deleted_records,
// as_of. Worker thread.
//
// Settings: `groups`, each a name or {group, features, record_identifier, max_age, prefix}; `event_time` and
// `record_identifier`: columns of the spine (the identifier: by default the column that is called as the
// group's own); `point_in_time_accurate_join` (true; false: the newest values of all times);
// `base_feature_group` instead of an input: its records are the spine; `as_of`: only what was written by
// then. Input: the spine, CSV. Output: data.csv, in the order of the spine; several parts beyond 64 MB.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_feature_join(const ProcessingInputs& inputs);
Result<Json> run_feature_join(const ProcessingInputs& inputs, TaskContext& context);

// A time in a table: seconds since 1970, ISO-8601, a date, or a date and a time apart, in UTC; in
// microseconds. InvalidArgument.
Result<std::int64_t> read_table_time(std::string_view text);
// "90", "15m", "12h", "30d", "4w": seconds, and so on; in microseconds. InvalidArgument.
Result<std::int64_t> read_age(std::string_view text);

}  // namespace millrace::tasks
