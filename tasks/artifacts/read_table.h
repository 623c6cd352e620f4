#pragma once
// A channel's rows: all CSV objects below a URI as one table.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {

// The rows of the objects at `uri` (see ObjectStore::list), in the order of their keys. The columns must
// agree; a column that is text in one object is text in all. Errors are those of list, read and parse_csv,
// and InvalidArgument naming the object whose columns differ.
Result<Table> read_table(const ObjectStore& objects, std::string_view uri, const CsvOptions& options = {});
// The same of these objects, whose text `read` gives.
Result<Table> read_table_of(const std::vector<std::string>& uris,
                            const std::function<Result<std::string>(const std::string& uri)>& read,
                            const CsvOptions& options);
// Writes the table as one CSV object with a header.
Status write_table(const ObjectStore& objects, std::string_view uri, const Table& table);

}  // namespace millrace::tasks
