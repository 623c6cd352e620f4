#pragma once
// CSV (RFC 4180): quoted cells, "" inside quotes, LF or CRLF, one header line unless told otherwise; a UTF-8
// byte order mark and blank lines are skipped. Errors name file, line and column: "data.csv:17: 3 cells,
// expected 12".
//
// A missing cell is one of CsvOptions::missing; in a text column only the empty one counts when it is in
// quotes, so the text "NA" survives a round trip. A header cell without a name is called by its position: c0.
// Any thread. Cost: one pass over the text (a second one when a column of numbers turns out to hold text
// late).

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

struct CsvOptions {
  bool header = true;  // else columns are named c0, c1, …
  char delimiter = ',';
  std::vector<std::string> missing = {"", "?", "NA", "NaN", "null"};  // cells that count as missing
  std::vector<std::string> column_names;                              // when header is false
  // Column types by name where they are known (a cell of a Number column that is no number is an error naming
  // line and column); other columns are numbers if every non-missing cell is one.
  std::vector<std::pair<std::string, Column::Type>> types;
  // Number columns also keep each cell as it was written (Column::texts): "007" is 7 and still known as
  // "007".
  bool keep_spelling = false;
  std::function<void(std::size_t rows)> progress;  // now and then; may be empty
  std::function<bool()> cancelled;
};

inline constexpr std::size_t kCsvCellBytesMax = std::size_t{1} << 20;  // LimitExceeded beyond it
inline constexpr std::size_t kCsvLineBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kCsvColumnsMax = 65'536;

// `name` is what errors call the source. InvalidArgument: ragged row, text among numbers, quotes that do not
// close, a column named twice, not UTF-8. LimitExceeded: one of the limits above. Cancelled.
Result<Table> parse_csv(std::string_view text, std::string_view name, const CsvOptions& options = {});
// The first line, which goes on to the end of a quoted cell; without its line end.
std::string_view first_csv_record(std::string_view text);
// Cells that need quotes get them; numbers in the spelling that was kept, else the shortest that reads back
// the same; missing cells are empty.
std::string format_csv(const Table& table, bool header = true);

}  // namespace millrace::tasks
