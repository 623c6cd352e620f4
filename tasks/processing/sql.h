#pragma once
// sql: one SQL script (SQLite's) over channels as tables; its last statement, a SELECT, is the result.
//
// Inputs: any number of CSV channels, each a table of its name; "script" is an object with the SQL instead of
// the setting `sql`. Output: one, of any name: data.csv with the columns of the SELECT. Settings: sql (text,
// or a list of lines), max_seconds (3600), max_bytes (8 GiB, of the scratch file), max_output_bytes (1 GiB).
// Numbers become INTEGER or REAL, cells with leading zeros and all others TEXT, missing ones NULL. The script
// can reach nothing but its tables: no ATTACH, PRAGMA, extensions, virtual tables. Stopping and the time
// limit take effect within a statement.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_sql(const ProcessingInputs& inputs);
Result<Json> run_sql(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
