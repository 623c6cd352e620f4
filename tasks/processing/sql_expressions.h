#pragma once
// SQL expressions over the cells of one row, as SQLite computes them: the steps `sql` and the row filters of
// `prepare`. An expression sees its row alone, so that it means the same for one request and for a million
// rows. random() is refused: the same row has to give the same value. One thread each.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/sqlite.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

inline constexpr std::size_t kSqlColumnsMax = 1900;            // that an expression may see
inline constexpr std::size_t kSqlExpressionBytesMax = 65'536;  // of all expressions

class SqlExpressions {
 public:
  // `expressions` may name any of `columns`. InvalidArgument: what SQLite says about them.
  static Result<SqlExpressions> make(const std::vector<std::string>& expressions,
                                     const std::vector<std::string>& columns,
                                     std::function<bool()> cancelled = {});
  // A column for each expression, called `names`: numbers where every value is one, else text. The table has
  // all columns. InvalidArgument names the row; Cancelled.
  Result<std::vector<Column>> evaluate(const Table& table, const std::vector<std::string>& names);

 private:
  Database database_;
  Statement statement_;
  std::vector<std::string> columns_;
};

// A name as SQL writes it: "it""s".
std::string quoted_sql_name(std::string_view name);

}  // namespace millrace::tasks
