#pragma once
// Tables whose rows are lines of their own: JSON lines and LIBSVM. Errors name file and line. Any thread.
// Source: jsonlines.org; SageMaker developer guide, "Common data formats for training"; the LIBSVM README.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

struct RecordLinesOptions {
  std::vector<std::string> members = {};  // of each JSON line, in this order; empty: those of the first line
  std::function<bool()> cancelled = {};
};

// One JSON object a line: its members are cells, an array of numbers is the columns NAME_0, NAME_1, …; null
// or a member that is not there is a missing cell. Numbers, and true and false as 1 and 0, make columns of
// numbers, which a text turns into texts. InvalidArgument: no object, a member that the first line has not,
// an object or a mixed array as a cell, an array of another length; Cancelled.
Result<Table> parse_json_lines(std::string_view text, std::string_view name,
                               const RecordLinesOptions& options = {});

// "TARGET INDEX:VALUE INDEX:VALUE …", indices rising and counted from 0: the columns target, f0, f1, … up to
// the largest index, and qid when "qid:QUERY" stands behind every target; what is not said is missing, as
// XGBoost has it and requests of text/libsvm are read. A
// '#' begins a comment. InvalidArgument; LimitExceeded: more than kLibsvmColumnsMax; Cancelled.
inline constexpr std::size_t kLibsvmColumnsMax = 65'536;
inline constexpr std::string_view kLibsvmQueries = "qid";
struct LibsvmRows {
  std::vector<double> targets;
  std::vector<double> queries;                                       // none, or one a row
  std::vector<std::vector<std::pair<std::uint32_t, double>>> cells;  // index and value
  std::size_t features = 0;
};
// Appends the rows of one object; libsvm_table makes the table of all.
Status parse_libsvm(std::string_view text, std::string_view name, LibsvmRows& rows,
                    const std::function<bool()>& cancelled = {});
Table libsvm_table(const LibsvmRows& rows);

}  // namespace millrace::tasks
