#pragma once
// Tables in application/x-recordio-protobuf, the form that SageMaker's own algorithms like best: records of
// RecordIO, each a protobuf message with the row's features and label. Errors name file and record, counted
// from 1. Any thread; what is read is not trusted.
// Source: SageMaker developer guide, "Common data formats for training" (the message), RecordIO of DMLC (the
// frames), protobuf's encoding.

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// Rows of one length; of a sparse one (`keys` with `shape`) what is not said is 0, as SageMaker has it.
struct RecordIoRows {
  std::size_t features = 0;
  std::vector<double> values;  // rows x features
  std::vector<double> labels;  // one a row, or none
  std::size_t rows = 0;
};

// Appends the rows of one object; record_io_table makes the table of all: the column `target` when there are
// labels, then f0, f1, …. DataLoss: no RecordIO, cut, or no such message. InvalidArgument: no tensor of
// features, rows of another length, a label for some rows alone or of several numbers. LimitExceeded: more
// than kLibsvmColumnsMax features; Cancelled.
Status parse_record_io(std::string_view bytes, std::string_view name, RecordIoRows& rows,
                       const std::function<bool()>& cancelled = {});
Table record_io_table(const RecordIoRows& rows);

}  // namespace millrace::tasks
