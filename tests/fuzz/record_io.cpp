// RecordIO: rows that were read have one length, and as many labels as rows, or none.

#include "tasks/table/record_io.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  RecordIoRows rows;
  const Status status = parse_record_io(fuzz::text_of(data, size), "rows", rows);
  if (!status) {
    MR_CHECK(!status.error().message.empty(), "a refusal says why");
    return 0;
  }
  MR_CHECK(rows.values.size() == rows.rows * rows.features, "rows have one length");
  MR_CHECK(rows.labels.empty() || rows.labels.size() == rows.rows, "all rows have a label, or none has");
  MR_CHECK(record_io_table(rows).rows == rows.rows, "the table has the rows");
  return 0;
}
