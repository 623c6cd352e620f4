#pragma once
// Table: named columns in memory. A column is numbers (NaN = missing) or texts (with a mask of missing cells).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

struct Column {
  enum class Type { Number, Text };
  std::string name;
  Type type = Type::Number;
  std::vector<double> numbers;       // Type::Number; NaN is a missing cell
  std::vector<std::string> texts;    // Type::Text
  std::vector<std::uint8_t> missing;  // Type::Text; 1 where the cell is missing (its text is empty)
};

struct Table {
  std::vector<Column> columns;  // all of the same length
  std::size_t rows = 0;

  const Column* find(std::string_view name) const;
  Column* find(std::string_view name);
  std::vector<std::string> names() const;
};

}  // namespace millrace::tasks
