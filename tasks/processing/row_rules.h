#pragma once
// Rules about whole rows in `prepare`: which ones count, and how the classes of the training rows are
// balanced. They are of preparing alone: a request is never filtered. Worker thread.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// "filter": a SQL condition, or {"where": …, "channels": […]} for some channels alone.
struct RowFilter {
  std::string where;
  std::vector<std::string> channels;  // empty: all

  bool covers(const std::string& channel) const;
};
Result<std::optional<RowFilter>> read_row_filter(const Json& settings);
// The rows for which the condition is true (neither 0 nor NULL). InvalidArgument: no SQL condition, or no row
// is left.
Result<Table> filter_rows(const Table& rows, const RowFilter& filter, const std::function<bool()>& cancelled);

// "balance": over (rows of smaller classes are repeated), under (rows of larger ones are left out), or
// weights (a column `weight` behind the target, rows * 1 / (classes * rows of the class), as scikit-learn's
// "balanced").
enum class Balance { None, Over, Under, Weights };
Result<Balance> read_balance(const Json& settings);
// The training table (target first) with its classes balanced. InvalidArgument: the target has one value or
// more than kBalancedClassesMax, or a feature is called weight.
Result<Table> balanced_rows(Table training, Balance balance, Random random);

inline constexpr std::size_t kBalancedClassesMax = 1'000;
inline constexpr std::string_view kWeightColumn = "weight";

}  // namespace millrace::tasks
