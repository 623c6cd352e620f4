#pragma once
// RowCollector: rows of named cells, whose names need not be the same in each, as one table of texts. One
// thread.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tasks/table/table.h"

namespace millrace::tasks {

class RowCollector {
 public:
  void begin_row() { ++table_.rows; }
  // A cell of the row that began last; the first one of a name counts.
  void set(const std::string& name, const std::optional<std::string>& cell);
  std::size_t rows() const { return table_.rows; }
  // Columns in the order their names came; cells that no row set are missing. Empties it.
  Table finish();

 private:
  void fill(Column& column, std::size_t rows);

  Table table_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

}  // namespace millrace::tasks
