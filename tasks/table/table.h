#pragma once
// Table: named columns in memory. A column is numbers (NaN = missing) or texts (with a mask of missing
// cells).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

struct Column {
  enum class Type { Number, Text };
  std::string name;
  Type type = Type::Number;
  std::vector<double> numbers;  // Type::Number; NaN is a missing cell
  std::vector<std::string>
      texts;  // Type::Text; of numbers read with CsvOptions::keep_spelling: how they were written
  std::vector<std::uint8_t> missing;  // Type::Text; 1 where the cell is missing (its text is empty)
  std::string first_text = {};        // of text that was read: its first cell that is no number, and where:
                                      // `s3://b/rows.csv:4: column "a": "three" is not a number`
};

struct Table {
  std::vector<Column> columns;  // all of the same length
  std::size_t rows = 0;
  // Of a table that was read, for messages: the objects behind it, each with its first row; may be empty.
  struct Part {
    std::string name;
    std::size_t first_row = 0;
  };
  std::vector<Part> parts = {};

  const Column* find(std::string_view name) const;
  Column* find(std::string_view name);
  std::vector<std::string> names() const;
};

inline bool is_missing(const Column& column, std::size_t row) {
  return column.type == Column::Type::Text ? column.missing[row] != 0
                                           : column.numbers[row] != column.numbers[row];
}
// A column of numbers, or of texts none of which is missing.
Column number_column(std::string name, std::vector<double> numbers);
Column text_column(std::string name, std::vector<std::string> texts);

// The rows named, in that order; an index may come more than once. Indices must be below table.rows.
Table select_rows(const Table& table, std::span<const std::uint32_t> rows);
// Rows of `more` behind those of `table`. InvalidArgument when names, their order or their types differ.
Status append_rows(Table& table, const Table& more);

// The whole text as a number, spaces around it allowed; false when it is none. "inf" and "nan" are numbers.
bool parse_number(std::string_view text, double& out);
// The shortest text that reads back the same: 3, 0.1, 1e+300, -0, inf; empty for NaN.
std::string format_number(double number);
void append_number(std::string& out, double number);

// The column with its cells read as numbers. InvalidArgument: first_text, or `row 3, column "age": "abc" is
// not a number` (rows from 1).
Result<Column> as_numbers(const Column& column);
// The column with its cells as text: their spelling where it was kept, else format_number.
Column as_texts(const Column& column);

}  // namespace millrace::tasks
