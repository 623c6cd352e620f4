#pragma once
// A channel's rows: all CSV objects below a URI as one table.

#include <string_view>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {

// The rows of the objects at `uri` (see ObjectStore::list), in the order of their keys. The columns must
// agree; a column that is text in one object is text in all. Errors are those of list, read and parse_csv,
// and InvalidArgument naming the object whose columns differ.
Result<Table> read_table(const ObjectStore& objects, std::string_view uri, const CsvOptions& options = {});
// Writes the table as one CSV object with a header.
Status write_table(const ObjectStore& objects, std::string_view uri, const Table& table);

}  // namespace millrace::tasks
