#pragma once
// Rows that are put together for a model to answer: cells of one row in place of another's. What explaining
// by asking (kernel SHAP, permutation, partial dependence) needs. Any thread.

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

using PredictTable = std::function<Result<Matrix>(const Table&)>;

// The columns named, in that order, spellings included. InvalidArgument: one is not there.
Result<Table> only_columns(const Table& table, const std::vector<std::string>& names);

// A column without rows, like `column`, for append_cell().
Column empty_like(const Column& column);
void append_cell(Column& to, const Column& from, std::size_t row);
// A cell from JSON (null: missing). InvalidArgument names the column.
Status append_cell(Column& to, const Json& value);

// Rows that stand for a whole table, with the share of rows each stands for.
struct Baseline {
  Table rows;
  std::vector<double> weights;
};
// Centres of `count` clusters: k-means over standardised numbers and matching categories (k-means++, seeded,
// at most kBaselineRowsSeen rows); a centre has the mean of the numbers and the most frequent category.
// One cluster is the mean row.
Baseline make_baseline(const Table& table, std::size_t count, Random random);
// Rows in JSON, each a list in the order of the columns or an object; equal weights. InvalidArgument.
Result<Baseline> read_baseline(const Json& rows, const Table& like);

inline constexpr std::size_t kBaselineRowsSeen = 5'000;
inline constexpr std::size_t kBaselineRowsMax = 1'000;

}  // namespace millrace::tasks
