#include "tasks/monitor/row_collector.h"

#include <utility>

namespace millrace::tasks {

void RowCollector::fill(Column& column, std::size_t rows) {
  column.texts.resize(rows);
  column.missing.resize(rows, 1);
}

void RowCollector::set(const std::string& name, const std::optional<std::string>& cell) {
  const auto [at, fresh] = places_.emplace(name, table_.columns.size());
  if (fresh) {
    table_.columns.emplace_back();
    table_.columns.back().name = name;
    table_.columns.back().type = Column::Type::Text;
  }
  Column& column = table_.columns[at->second];
  if (column.texts.size() == table_.rows) return;
  fill(column, table_.rows - 1);
  column.texts.push_back(cell.value_or(""));
  column.missing.push_back(cell ? 0 : 1);
}

Table RowCollector::finish() {
  for (Column& column : table_.columns) fill(column, table_.rows);
  places_.clear();
  return std::exchange(table_, Table());
}

}  // namespace millrace::tasks
