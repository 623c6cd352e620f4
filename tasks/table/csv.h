#pragma once
// CSV (RFC 4180): quoted cells, "" inside quotes, LF or CRLF, one header line unless told otherwise.
// Errors name file, line and column: "data.csv:17: 3 cells, expected 12".

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

struct CsvOptions {
  bool header = true;                          // else columns are named c0, c1, …
  char delimiter = ',';
  std::vector<std::string> missing = {"", "?", "NA", "NaN", "null"};  // cells that count as missing
  std::vector<std::string> column_names;       // when header is false
  // Column types by name where they are known (a cell of a Number column that is no number is an error naming line and
  // column); other columns are numbers if every non-missing cell is one.
  std::vector<std::pair<std::string, Column::Type>> types;
  std::function<void(std::size_t rows)> progress;  // now and then; may be empty
  std::function<bool()> cancelled;
};

// `name` is what errors call the source.
Result<Table> parse_csv(std::string_view text, std::string_view name, const CsvOptions& options = {});
// Cells that need quotes get them; numbers in the shortest form that reads back the same; missing cells are empty.
std::string format_csv(const Table& table, bool header = true);

}  // namespace millrace::tasks
