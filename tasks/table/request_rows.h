#pragma once
// Rows of an inference request: the body of InvokeEndpoint or of a batch, without the training data's header.
//
//   text/csv               a row a line in the order of `columns`, no header (a first line that holds every
//   column's name
//                          is taken as one, and cells then go by name)
//   application/json       {"instances": [row, …]} or one array of rows, or one row
//   application/jsonlines  a row a line
// where a row is [39, "Private", …] in order, {"features": [39, "Private", …]}, or {"age": 39, "workclass":
// "Private"} (members that are not columns are ignored; null is a missing cell). Source of the shapes:
// SageMaker developer guide, "Common data formats for inference". Any thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// The rows as a table with exactly `columns`. Cells keep their spelling (see CsvOptions::keep_spelling), so
// that a pipeline reads them as the types it learned. Errors, all InvalidArgument: a content type not listed
// above; no rows; "Invalid data format. Input data has 1 while the model expects 6: age, …" on a wrong number
// of cells; a missing member.
Result<Table> parse_request_rows(std::string_view body, std::string_view content_type,
                                 const std::vector<std::string>& columns);

}  // namespace millrace::tasks
