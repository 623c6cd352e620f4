#include "tasks/features/table_parts.h"

#include "base/check.h"
#include "tasks/processing/channels.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kRowsFormatted = 4096;

}  // namespace

std::string text_of_cell(JsonView value) {
  return value.is_string() ? value.string() : std::string(value.text());
}

void write_cell(JsonWriter& out, JsonView value) {
  !value || value.is_null() ? out.null() : out.string(text_of_cell(value));
}

TableParts::TableParts(const ObjectStore& objects, std::string uri, const std::vector<std::string>& columns,
                       std::size_t part_bytes)
    : objects_(objects), uri_(std::move(uri)), part_bytes_(part_bytes) {
  for (const std::string& name : columns) table_.columns.push_back(text_column(name, {}));
}

Status TableParts::add(std::string_view cells) {
  MR_TRY(list, Payload::parse(cells));
  for (const JsonView cell : list.view().elements()) {
    MR_CHECK(column_ < table_.columns.size(), "a row has as many cells as the table has columns");
    Column& column = table_.columns[column_++];
    column.missing.push_back(cell.is_null());
    column.texts.push_back(cell.is_null() ? std::string() : text_of_cell(cell));
  }
  return {};
}

void TableParts::add_missing(std::size_t cells) {
  for (; cells > 0; --cells) {
    MR_CHECK(column_ < table_.columns.size(), "a row has as many cells as the table has columns");
    Column& column = table_.columns[column_++];
    column.missing.push_back(1);
    column.texts.emplace_back();
  }
}

void TableParts::format_rows() {
  text_ += format_csv(table_, text_.empty());
  for (Column& column : table_.columns) column.texts.clear(), column.missing.clear();
  table_.rows = 0;
}

Status TableParts::write_part(std::string_view name) {
  MR_DO(objects_.write(join_uri(uri_, name), text_));
  text_.clear();
  return {};
}

Status TableParts::end_row() {
  MR_CHECK(column_ == table_.columns.size(), "a row has as many cells as the table has columns");
  column_ = 0;
  if (++table_.rows < kRowsFormatted) return {};
  if (text_.size() >= part_bytes_) {
    const std::string number = std::to_string(100'000 + ++parts_).substr(1);
    MR_DO(write_part("data-" + number + ".csv"));
  }
  format_rows();
  return {};
}

Status TableParts::finish() {
  format_rows();
  const std::string number = std::to_string(100'000 + parts_ + 1).substr(1);
  return write_part(parts_ == 0 ? std::string(kDataObject) : "data-" + number + ".csv");
}

}  // namespace millrace::tasks
