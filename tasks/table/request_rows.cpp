#include "tasks/table/request_rows.h"

#include <algorithm>
#include <limits>

#include "base/payload.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kName = "request";

tl::unexpected<Error> wrong_count(std::size_t cells, const std::vector<std::string>& columns) {
  std::string names;
  for (const std::string& column : columns) names += (names.empty() ? "" : ", ") + column;
  return invalid("Invalid data format. Input data has " + std::to_string(cells) +
                 " while the model expects " + std::to_string(columns.size()) + ": " + names);
}

CsvOptions request_options() {
  CsvOptions options;
  options.header = false;
  options.keep_spelling = true;
  return options;
}

Result<Table> parse_csv_rows(std::string_view body, const std::vector<std::string>& columns) {
  CsvOptions options = request_options();
  body.remove_prefix(std::min(body.size(), body.find_first_not_of("\r\n")));
  if (body.empty()) return invalid("Invalid data format. The request has no rows");
  MR_TRY(first, parse_csv(body.substr(0, body.find('\n')), kName, options));
  std::vector<std::string> cells;
  for (const Column& cell : first.columns) cells.push_back(cell.texts.empty() ? "" : cell.texts[0]);
  options.header =
      !columns.empty() && std::all_of(columns.begin(), columns.end(), [&](const std::string& column) {
        return std::find(cells.begin(), cells.end(), column) != cells.end();
      });
  if (!options.header && cells.size() != columns.size()) return wrong_count(cells.size(), columns);
  if (!options.header) options.column_names = columns;
  MR_TRY(read, parse_csv(body, kName, options));
  for (Column& column : read.columns) column.first_text.clear();  // the caller knows rows, not lines
  if (!options.header) return read;
  Table table;
  table.rows = read.rows;
  for (const std::string& column : columns) table.columns.push_back(std::move(*read.find(column)));
  return table;
}

class JsonRows {
 public:
  explicit JsonRows(const std::vector<std::string>& columns) : columns_(columns) {
    for (const std::string& column : columns) table_.columns.push_back(text_column(column, {}));
  }

  Status add(JsonView row) {
    ++table_.rows;
    if (row.is_array()) return add_cells(row);
    if (!row.is_object()) return columns_.size() == 1 ? add_cell(0, row) : Status(wrong_count(1, columns_));
    const JsonView features = row.find("features");
    if (features && features.is_array()) return add_cells(features);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const JsonView cell = row.find(columns_[c]);
      if (!cell)
        return invalid("Invalid data format. Row " + std::to_string(table_.rows) + " has no \"" +
                       columns_[c] + "\"");
      MR_DO(add_cell(c, cell));
    }
    return {};
  }

  // Columns whose cells are all numbers become such.
  Table finish() {
    for (Column& column : table_.columns) {
      auto numbers = as_numbers(column);
      if (!numbers) continue;
      column.type = Column::Type::Number;
      column.numbers = std::move(numbers->numbers);
    }
    return std::move(table_);
  }

 private:
  Status add_cells(JsonView row) {
    if (row.size() != columns_.size()) return wrong_count(row.size(), columns_);
    std::size_t c = 0;
    for (const JsonView cell : row.elements()) MR_DO(add_cell(c++, cell));
    return {};
  }
  Status add_cell(std::size_t c, JsonView cell) {
    if (cell.is_array() || cell.is_object()) {
      return invalid("Invalid data format. Row " + std::to_string(table_.rows) + ", column \"" + columns_[c] +
                     "\": expected a number or a string, not an " + std::string(name_of(cell.kind())));
    }
    Column& column = table_.columns[c];
    std::string text = cell.is_null()     ? std::string()
                       : cell.is_string() ? cell.string()
                                          : std::string(cell.text());
    column.missing.push_back(text.empty());
    column.texts.push_back(std::move(text));
    return {};
  }

  const std::vector<std::string>& columns_;
  Table table_;
};

Status add_document(JsonRows& rows, JsonView document) {
  const JsonView instances = document.is_object() ? document.find("instances") : document;
  if (!instances) return rows.add(document);
  if (!instances.is_array()) return invalid("Invalid data format. \"instances\" is an array of rows");
  const bool nested = instances.size() > 0 && (instances.at(0).is_array() || instances.at(0).is_object());
  if (!nested && document.is_array() && instances.size() > 0)
    return rows.add(document);  // one row of plain cells
  for (const JsonView row : instances.elements()) MR_DO(rows.add(row));
  return {};
}

Result<Payload> parse_json(std::string_view text, std::string_view where) {
  auto parsed = Payload::parse(text);
  if (!parsed) return invalid("Invalid data format. " + std::string(where) + parsed.error().message);
  return parsed;
}

Result<Table> parse_json_rows(std::string_view body, bool lines, const std::vector<std::string>& columns) {
  JsonRows rows(columns);
  if (!lines) {
    MR_TRY(document, parse_json(body, ""));
    MR_DO(add_document(rows, document.view()));
    return rows.finish();
  }
  for (std::size_t number = 1; !body.empty(); ++number) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(body.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    MR_TRY(row, parse_json(line, "Line " + std::to_string(number) + ": "));
    MR_DO(rows.add(row.view()));
  }
  return rows.finish();
}

}  // namespace

Result<Table> parse_request_rows(std::string_view body, std::string_view content_type,
                                 const std::vector<std::string>& columns) {
  std::string type(content_type.substr(0, content_type.find_first_of("; ")));
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  Result<Table> table = [&]() -> Result<Table> {
    if (type.empty() || type == "text/csv") return parse_csv_rows(body, columns);
    if (type == "application/json") return parse_json_rows(body, false, columns);
    if (type == "application/jsonlines" || type == "application/x-ndjson")
      return parse_json_rows(body, true, columns);
    return invalid("content type \"" + type + "\" is not supported",
                   "use text/csv, application/json or application/jsonlines");
  }();
  if (table && table->rows == 0) return invalid("Invalid data format. The request has no rows");
  return table;
}

}  // namespace millrace::tasks
