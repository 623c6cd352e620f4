// CSV: a table that was read is written so that it reads back with the same shape.

#include "tasks/table/csv.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  CsvOptions options;
  options.header = (data[0] & 1) != 0;
  options.keep_spelling = (data[0] & 2) != 0;
  if (data[0] & 4) options.delimiter = ';';
  const auto table = parse_csv(fuzz::text_of(data + 1, size - 1), "data.csv", options);
  if (!table) {
    MR_CHECK(!table.error().message.empty(), "a refusal says why");
    return 0;
  }
  const auto again = parse_csv(format_csv(*table), "again.csv");
  MR_CHECK(again && again->rows == table->rows && again->columns.size() == table->columns.size(),
           "a table reads back");
  return 0;
}
