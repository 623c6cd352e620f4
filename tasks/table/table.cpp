#include "tasks/table/table.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/check.h"
#include "tasks/table/number_scan.h"

namespace millrace::tasks {

const Column* Table::find(std::string_view name) const {
  for (const Column& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

Column* Table::find(std::string_view name) {
  return const_cast<Column*>(static_cast<const Table*>(this)->find(name));
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> out;
  out.reserve(columns.size());
  for (const Column& column : columns) out.push_back(column.name);
  return out;
}

Column number_column(std::string name, std::vector<double> numbers) {
  Column column;
  column.name = std::move(name);
  column.numbers = std::move(numbers);
  return column;
}

Column text_column(std::string name, std::vector<std::string> texts) {
  Column column;
  column.name = std::move(name);
  column.type = Column::Type::Text;
  column.missing.assign(texts.size(), 0);
  column.texts = std::move(texts);
  return column;
}

namespace {

template <class T>
std::vector<T> pick(const std::vector<T>& from, std::span<const std::uint32_t> rows) {
  std::vector<T> out;
  if (from.empty()) return out;
  out.reserve(rows.size());
  for (const std::uint32_t row : rows) out.push_back(from[row]);
  return out;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

Table select_rows(const Table& table, std::span<const std::uint32_t> rows) {
  for (const std::uint32_t row : rows) MR_CHECK(row < table.rows, "a row index is below the number of rows");
  Table out;
  out.rows = rows.size();
  for (const Column& column : table.columns) {
    Column& picked = out.columns.emplace_back();
    picked.name = column.name;
    picked.type = column.type;
    picked.numbers = pick(column.numbers, rows);
    picked.texts = pick(column.texts, rows);
    picked.missing = pick(column.missing, rows);
  }
  return out;
}

Status append_rows(Table& table, const Table& more) {
  if (table.names() != more.names()) return invalid("the columns differ");
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c].type != more.columns[c].type) {
      return invalid("column \"" + table.columns[c].name + "\" is text in one part and numbers in another");
    }
  }
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    Column& column = table.columns[c];
    const Column& added = more.columns[c];
    // A spelling that only one part knows would shift the rows: then neither keeps it.
    const bool spelled = column.texts.size() == table.rows && added.texts.size() == more.rows;
    append(column.numbers, added.numbers);
    if (spelled) {
      append(column.texts, added.texts);
      append(column.missing, added.missing);
    } else {
      column.texts.clear();
      column.missing.clear();
    }
  }
  table.rows += more.rows;
  return {};
}

bool parse_number(std::string_view text, double& out) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  if (text.empty()) return false;
  const char* end = text.data() + text.size();
  if (scan_decimal(text.data(), end, out) == end) return true;
  const auto [behind, code] = std::from_chars(text.data(), end, out);
  if (behind != end) return false;
  if (code == std::errc()) return true;
  if (code != std::errc::result_out_of_range) return false;
  out = std::strtod(std::string(text).c_str(), nullptr);  // infinity, or 0 with the sign
  return true;
}

void append_number(std::string& out, double number) {
  if (std::isnan(number)) return;
  char buffer[32];
  std::to_chars_result result{};
  // Whole numbers as people write them: 100000, not 1e+05.
  if (std::abs(number) < 1e15 && number == std::trunc(number) && !(number == 0 && std::signbit(number))) {
    result = std::to_chars(buffer, buffer + sizeof buffer, static_cast<std::int64_t>(number));
  } else {
    result = std::to_chars(buffer, buffer + sizeof buffer, number);
  }
  out.append(buffer, result.ptr);
}

std::string format_number(double number) {
  std::string out;
  append_number(out, number);
  return out;
}

Result<Column> as_numbers(const Column& column) {
  if (column.type == Column::Type::Number) return column;
  if (!column.first_text.empty()) return invalid(column.first_text);
  Column out;
  out.name = column.name;
  out.numbers.resize(column.texts.size());
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    if (column.missing[i]) {
      out.numbers[i] = std::numeric_limits<double>::quiet_NaN();
    } else if (!parse_number(column.texts[i], out.numbers[i])) {
      return invalid("row " + std::to_string(i + 1) + ", column \"" + column.name + "\": \"" +
                     column.texts[i] + "\" is not a number");
    }
  }
  return out;
}

Column as_texts(const Column& column) {
  if (column.type == Column::Type::Text) return column;
  Column out;
  out.name = column.name;
  out.type = Column::Type::Text;
  const std::size_t rows = column.numbers.size();
  const bool spelled = column.texts.size() == rows;
  out.texts.resize(rows);
  out.missing.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (std::isnan(column.numbers[i])) {
      out.missing[i] = 1;
    } else {
      out.texts[i] = spelled ? column.texts[i] : format_number(column.numbers[i]);
    }
  }
  return out;
}

}  // namespace millrace::tasks
