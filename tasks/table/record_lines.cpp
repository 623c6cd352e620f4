#include "tasks/table/record_lines.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "base/payload.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kRecordLineBytesMax = std::size_t{16} << 20;
constexpr std::size_t kRecordColumnsMax = 65'536;
constexpr double kMissingNumber = std::numeric_limits<double>::quiet_NaN();

// Lines without their ends; blank ones are passed over.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }
  bool next(std::string_view& line) {
    while (!text_.empty()) {
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      line = text_.substr(0, end);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++number_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.find_first_not_of(" \t") != std::string_view::npos) return true;
    }
    return false;
  }
  std::size_t number() const { return number_; }

 private:
  std::string_view text_;
  std::size_t number_ = 0;
};

// One cell of a line: a number, a text, or missing.
struct LineCell {
  double number = kMissingNumber;
  std::optional<std::string> text = std::nullopt;
};

class JsonLines {
 public:
  JsonLines(std::string_view name, const RecordLinesOptions& options) : name_(name), options_(options) {}

  Status add(std::string_view line, std::size_t number) {
    number_ = number;
    if (line.size() > kRecordLineBytesMax)
      return fail(ErrorCode::LimitExceeded, place() + "the line has more than 16 MiB");
    const auto document = Payload::parse(line);
    if (!document) return invalid(place() + document.error().message);
    if (!document->view().is_object()) return invalid(place() + "expected an object");
    if (members_.empty()) MR_DO(take_members(document->view()));
    std::size_t known = 0;
    for (const Member& member : members_) {
      const JsonView value = document->view().find(member.name);
      if (value) ++known;
      MR_DO(add_cells(member, value));
    }
    if (options_.members.empty() && known != document->view().size())
      return invalid(place() + "it has a member that the first line has not",
                     "every line has the members of the first one, or fewer");
    ++table_.rows;
    return {};
  }

  Result<Table> finish() {
    if (table_.rows == 0) return invalid(std::string(name_) + " holds no rows");
    return std::move(table_);
  }

 private:
  struct Member {
    std::string name;
    std::size_t first = 0, width = 1;  // its columns
    bool array = false;
  };
  std::string place() const { return std::string(name_) + ":" + std::to_string(number_) + ": "; }

  Status take_members(JsonView line) {
    std::vector<std::string> names = options_.members;
    if (names.empty())
      for (const auto [key, value] : line.members()) names.push_back(key.string());
    if (names.empty()) return invalid(place() + "the first line has no members");
    for (const std::string& name : names) {
      Member member;
      member.name = name;
      member.first = table_.columns.size();
      const JsonView value = line.find(name);
      if (!value && !options_.members.empty())
        return invalid(place() + "there is no attribute '" + name + "'");
      member.array = value && value.is_array();
      member.width = member.array ? value.size() : 1;
      if (member.first + member.width > kRecordColumnsMax)
        return fail(ErrorCode::LimitExceeded, place() + "there are more than 65536 columns");
      for (std::size_t i = 0; i < member.width; ++i) {
        Column column;
        column.name = member.array ? name + "_" + std::to_string(i) : name;
        table_.columns.push_back(std::move(column));
      }
      members_.push_back(std::move(member));
    }
    return {};
  }

  Status add_cells(const Member& member, JsonView value) {
    if (!member.array) {
      MR_TRY(cell, cell_of(member, value));
      add_cell(table_.columns[member.first], std::move(cell));
      return {};
    }
    const bool there = value && !value.is_null();
    if (there && (!value.is_array() || value.size() != member.width))
      return invalid(place() + "'" + member.name + "' is no array of " + std::to_string(member.width) +
                     " numbers, as in the first line");
    if (!there) {
      for (std::size_t i = 0; i < member.width; ++i) add_cell(table_.columns[member.first + i], {});
      return {};
    }
    std::size_t column = member.first;
    for (const JsonView element : value.elements()) {
      MR_TRY(cell, cell_of(member, element));
      if (cell.text) return invalid(place() + "'" + member.name + "' holds a text among its numbers");
      add_cell(table_.columns[column++], std::move(cell));
    }
    return {};
  }

  Result<LineCell> cell_of(const Member& member, JsonView value) const {
    if (!value || value.is_null()) return LineCell();
    if (value.is_boolean()) return LineCell{value.boolean() ? 1.0 : 0.0};
    if (value.is_number()) return LineCell{value.number()};
    if (value.is_string()) return LineCell{kMissingNumber, value.string()};
    return invalid(place() + "'" + member.name + "' is neither number, text, true, false nor null");
  }

  void add_cell(Column& column, LineCell cell) {
    if (cell.text && column.type == Column::Type::Number) {
      const std::string first =
          place() + "column \"" + column.name + "\": \"" + cell.text->substr(0, 60) + "\" is not a number";
      column = as_texts(column);
      column.first_text = first;
    }
    if (column.type == Column::Type::Number) return column.numbers.push_back(cell.number);
    const bool missing = !cell.text && std::isnan(cell.number);
    column.missing.push_back(missing ? 1 : 0);
    column.texts.push_back(missing ? "" : cell.text ? std::move(*cell.text) : format_number(cell.number));
  }

  const std::string_view name_;
  const RecordLinesOptions& options_;
  std::size_t number_ = 0;
  std::vector<Member> members_;
  Table table_;
};

}  // namespace

Result<Table> parse_json_lines(std::string_view text, std::string_view name,
                               const RecordLinesOptions& options) {
  JsonLines rows(name, options);
  LineReader lines(text);
  for (std::string_view line; lines.next(line);) {
    if (lines.number() % 4096 == 0 && options.cancelled && options.cancelled())
      return fail(ErrorCode::Cancelled, "stopped");
    MR_DO(rows.add(line, lines.number()));
  }
  return rows.finish();
}

Status parse_libsvm(std::string_view text, std::string_view name, LibsvmRows& rows,
                    const std::function<bool()>& cancelled) {
  LineReader lines(text);
  for (std::string_view line; lines.next(line);) {
    if (lines.number() % 4096 == 0 && cancelled && cancelled()) return fail(ErrorCode::Cancelled, "stopped");
    const std::string place = std::string(name) + ":" + std::to_string(lines.number()) + ": ";
    line = line.substr(0, line.find('#'));
    std::vector<std::pair<std::uint32_t, double>> cells;
    std::optional<double> target, query;
    while (true) {
      const std::size_t begin = line.find_first_not_of(" \t");
      if (begin == std::string_view::npos) break;
      line.remove_prefix(begin);
      const std::string_view word = line.substr(0, line.find_first_of(" \t"));
      line.remove_prefix(word.size());
      const std::size_t colon = word.find(':');
      double value = 0;
      if (!parse_number(word.substr(colon == std::string_view::npos ? 0 : colon + 1), value))
        return invalid(place + "'" + std::string(word.substr(0, 60)) + "' is not a number");
      if (!target) {
        if (colon != std::string_view::npos) return invalid(place + "the target is missing");
        target = value;
        continue;
      }
      if (colon != std::string_view::npos && word.substr(0, colon) == kLibsvmQueries) {
        if (query || !cells.empty()) return invalid(place + "qid stands behind the target, once");
        query = value;
        continue;
      }
      std::uint32_t index = 0;
      const auto [end, error] =
          std::from_chars(word.data(), word.data() + std::min(colon, word.size()), index);
      if (colon == std::string_view::npos || error != std::errc() || end != word.data() + colon)
        return invalid(place + "'" + std::string(word.substr(0, 60)) + "' is not INDEX:VALUE");
      if (!cells.empty() && cells.back().first >= index)
        return invalid(place + "index " + std::to_string(index) + " does not rise");
      if (index >= kLibsvmColumnsMax)
        return fail(ErrorCode::LimitExceeded, place + "index " + std::to_string(index) + " is beyond 65535");
      rows.features = std::max(rows.features, std::size_t{index} + 1);
      cells.emplace_back(index, value);
    }
    if (!target) continue;  // a comment
    if (query ? rows.queries.size() != rows.targets.size() : !rows.queries.empty())
      return invalid(place + "some rows have a qid and others none");
    if (query) rows.queries.push_back(*query);
    rows.targets.push_back(*target);
    rows.cells.push_back(std::move(cells));
  }
  return {};
}

Table libsvm_table(const LibsvmRows& rows) {
  Table table;
  table.rows = rows.targets.size();
  table.columns.push_back(number_column("target", rows.targets));
  for (std::size_t i = 0; i < rows.features; ++i)
    table.columns.push_back(
        number_column("f" + std::to_string(i), std::vector<double>(table.rows, kMissingNumber)));
  for (std::size_t row = 0; row < table.rows; ++row)
    for (const auto& [index, value] : rows.cells[row]) table.columns[1 + index].numbers[row] = value;
  if (!rows.queries.empty())
    table.columns.push_back(number_column(std::string(kLibsvmQueries), rows.queries));
  return table;
}

}  // namespace millrace::tasks
