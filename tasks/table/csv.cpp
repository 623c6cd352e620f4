#include "tasks/table/csv.h"

#include <cstring>
#include <limits>
#include <set>

#include "base/utf8.h"
#include "tasks/table/number_scan.h"

namespace millrace::tasks {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kSampleRows = 1000;  // looked at first, so that text columns seldom surprise later
constexpr std::size_t kRowsPerReport = 65'536;

struct Cell {
  std::string_view text;  // quotes resolved; lives until the next cell is read
  bool quoted = false;
};

// Where we are in the text. Fails by setting `problem`; the message lacks file and line.
class Scanner {
 public:
  Scanner(std::string_view text, char delimiter)
      : p(text.data()), end_(text.data() + text.size()), delimiter_(delimiter) {}

  bool at_end() const { return p == end_; }
  bool at_delimiter() const { return p != end_ && *p == delimiter_; }
  bool at_line_end() const { return p == end_ || is_line_end(p); }
  std::size_t left() const { return static_cast<std::size_t>(end_ - p); }

  void skip_delimiter() { ++p; }
  void skip_line_end() {
    if (p == end_) return;
    p += *p == '\r' ? 2 : 1;
    ++line;
  }
  void skip_blank_lines() {
    while (p != end_ && is_line_end(p)) skip_line_end();
  }

  // A plain number that fills its cell; else nothing moves.
  bool read_number(double& out) {
    const char* behind = scan_decimal(p, end_, out);
    if (behind == nullptr || !(behind == end_ || *behind == delimiter_ || is_line_end(behind))) return false;
    p = behind;
    return true;
  }

  Cell read_cell() {
    if (p != end_ && *p == '"') return read_quoted();
    const char* first = p;
    while (p != end_ && *p != delimiter_ && *p != '\n') ++p;
    const char* last = p;
    if (p != end_ && *p == '\n' && last != first && last[-1] == '\r') p = --last;
    return checked({std::string_view(first, static_cast<std::size_t>(last - first)), false});
  }

  const char* p;
  std::size_t line = 1;
  std::string problem;
  bool over_limit = false;

 private:
  bool is_line_end(const char* at) const {
    return *at == '\n' || (*at == '\r' && at + 1 != end_ && at[1] == '\n');
  }

  Cell read_quoted() {
    const std::size_t first_line = line;
    const char* first = ++p;
    scratch_.clear();
    bool doubled = false;
    for (;;) {
      const void* quote = std::memchr(p, '"', left());
      const char* stop = quote == nullptr ? end_ : static_cast<const char*>(quote);
      if (static_cast<std::size_t>(stop - first) > kCsvCellBytesMax) return too_long();
      for (const char* q = p; q != stop; ++q) line += *q == '\n';
      if (quote == nullptr) {
        line = first_line;
        problem = "a quote opens here and never closes";
        return {};
      }
      if (stop + 1 == end_ || stop[1] != '"') {
        Cell cell{std::string_view(first, static_cast<std::size_t>(stop - first)), true};
        if (doubled) {
          scratch_.append(p, stop);
          cell.text = scratch_;
        }
        p = stop + 1;
        if (!at_line_end() && !at_delimiter())
          problem = "text behind a closing quote; a quote inside quotes is \"\"";
        return checked(cell);
      }
      scratch_.append(p, stop + 1);
      doubled = true;
      p = stop + 2;
    }
  }

  Cell checked(Cell cell) {
    if (cell.text.size() > kCsvCellBytesMax) return too_long();
    bool ascii = true;
    for (const char c : cell.text) ascii &= static_cast<signed char>(c) >= 0;
    if (!ascii && !valid_utf8(cell.text))
      problem = "a cell is not UTF-8; convert the file, e.g. iconv -f latin1 -t utf-8";
    return cell;
  }
  Cell too_long() {
    problem = "a cell of more than " + std::to_string(kCsvCellBytesMax) + " bytes; does a quote not close?";
    over_limit = true;
    return {};
  }

  const char* end_;
  char delimiter_;
  std::string scratch_;
};

struct Plan {
  std::string name;
  Column::Type type = Column::Type::Number;
  bool declared = false;
  bool text_found = false;      // a column thought to be numbers holds text: it is read again
  std::string first_text = {};  // see Column
};

class Reader {
 public:
  Reader(std::string_view text, std::string_view name, const CsvOptions& options)
      : text_(text), name_(name), options_(options) {
    for (const std::string& token : options.missing)
      longest_missing_ = std::max(longest_missing_, token.size());
  }

  Result<Table> read() {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    if (text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF")) {
      return invalid(std::string(name_) + ": UTF-16; convert it, e.g. iconv -f utf-16 -t utf-8");
    }
    Scanner start(text_, options_.delimiter);
    MR_DO(plan_columns(start));
    MR_TRY(sample, read_rows(start, kSampleRows, 0));
    const std::size_t bytes = text_.size();
    // The sample is all there is, and no column changed its mind.
    if (sample.rows < kSampleRows && !settle()) return sample;
    settle();
    const std::size_t expected =
        sample.rows == 0 ? 0 : bytes / std::max<std::size_t>(1, sample_bytes_ / sample.rows) + 1;
    MR_TRY(table, read_rows(start, std::numeric_limits<std::size_t>::max(), expected));
    if (!settle()) return table;
    return read_rows(start, std::numeric_limits<std::size_t>::max(), table.rows);
  }

 private:
  tl::unexpected<Error> error(const Scanner& at, const std::string& what) const {
    return fail(at.over_limit ? ErrorCode::LimitExceeded : ErrorCode::InvalidArgument,
                std::string(name_) + ":" + std::to_string(at.line) + ": " + what);
  }

  // Columns that turned out to hold text become text columns; true when there were any.
  bool settle() {
    bool any = false;
    for (Plan& plan : plans_) {
      if (!plan.text_found) continue;
      plan.type = Column::Type::Text;
      plan.text_found = false;
      any = true;
    }
    return any;
  }

  Result<std::vector<std::string>> read_line(Scanner& at) const {
    std::vector<std::string> cells;
    for (;;) {
      cells.emplace_back(at.read_cell().text);
      if (!at.problem.empty()) return error(at, at.problem);
      if (cells.size() > kCsvColumnsMax) {
        at.over_limit = true;
        return error(at, "more than " + std::to_string(kCsvColumnsMax) + " columns");
      }
      if (!at.at_delimiter()) return cells;
      at.skip_delimiter();
    }
  }

  Status plan_columns(Scanner& at) {
    at.skip_blank_lines();
    std::vector<std::string> names = options_.column_names;
    if (options_.header) {
      if (at.at_end()) return invalid(std::string(name_) + ": empty, expected a header line");
      MR_TRY(header, read_line(at));
      names = std::move(header);
      for (std::size_t i = 0; i < names.size(); ++i) {
        const std::size_t first = names[i].find_first_not_of(" \t");
        names[i] = first == std::string::npos
                       ? "c" + std::to_string(i)
                       : names[i].substr(first, names[i].find_last_not_of(" \t") - first + 1);
      }
    } else if (names.empty()) {
      if (at.at_end()) return invalid(std::string(name_) + ": empty, expected rows");
      Scanner ahead = at;
      MR_TRY(cells, read_line(ahead));
      for (std::size_t i = 0; i < cells.size(); ++i) names.push_back("c" + std::to_string(i));
    }
    std::set<std::string_view> seen;
    for (std::string& name : names) {
      if (!seen.insert(name).second) return error(at, "two columns are named \"" + name + "\"");
    }
    for (std::string& name : names) {
      Plan plan{name};
      for (const auto& [declared, type] : options_.types) {
        if (declared == name) plan.type = type, plan.declared = true;
      }
      plans_.push_back(std::move(plan));
    }
    if (options_.header) at.skip_line_end();
    return {};
  }

  bool is_missing_token(std::string_view cell) const {
    if (cell.size() > longest_missing_) return false;
    for (const std::string& token : options_.missing) {
      if (cell == token) return true;
    }
    return false;
  }

  // One cell into its column. Text where numbers are declared sets at.problem.
  void read_into(Scanner& at, Plan& plan, Column& column) {
    double number = kMissing;
    const char* first = at.p;
    if (plan.type == Column::Type::Number && at.read_number(number)) {
      column.numbers.push_back(number);
      if (options_.keep_spelling) {
        column.texts.emplace_back(first, at.p);
        column.missing.push_back(0);
      }
      return;
    }
    const Cell cell = at.read_cell();
    if (!at.problem.empty()) return;
    const bool missing = is_missing_token(cell.text);
    if (plan.type == Column::Type::Text) {
      const bool counts = missing && (cell.text.empty() || !cell.quoted);
      column.missing.push_back(counts);
      column.texts.emplace_back(counts ? std::string_view() : cell.text);
      return;
    }
    if (missing || !parse_number(cell.text, number)) number = kMissing;
    const bool text = !missing && number != number && !is_nan_text(cell.text);
    if (text && !plan.text_found) {
      const std::string what =
          "column \"" + plan.name + "\": \"" + std::string(cell.text.substr(0, 80)) + "\" is not a number";
      if (plan.declared) at.problem = what;
      if (plan.first_text.empty()) plan.first_text = error(at, what).value().message;
    }
    plan.text_found |= text;
    column.numbers.push_back(number);
    if (options_.keep_spelling) {
      column.missing.push_back(number != number);
      column.texts.emplace_back(number != number ? std::string_view() : cell.text);
    }
  }
  static bool is_nan_text(std::string_view cell) {
    double number = 0;
    return parse_number(cell, number);
  }

  tl::unexpected<Error> ragged(const Scanner& row_start) const {
    Scanner again = row_start;
    auto cells = read_line(again);
    if (!cells) return fail(std::move(cells).error());
    return error(row_start, std::to_string(cells->size()) + (cells->size() == 1 ? " cell" : " cells") +
                                ", expected " + std::to_string(plans_.size()));
  }

  Result<Table> read_rows(Scanner at, std::size_t rows_max, std::size_t rows_expected) {
    Table table;
    for (const Plan& plan : plans_) {
      Column& column = table.columns.emplace_back();
      column.name = plan.name;
      column.type = plan.type;
      if (plan.type == Column::Type::Text) column.first_text = plan.first_text;
      if (plan.type == Column::Type::Number) column.numbers.reserve(rows_expected);
      if (plan.type == Column::Type::Text || options_.keep_spelling) {
        column.texts.reserve(rows_expected);
        column.missing.reserve(rows_expected);
      }
    }
    const char* begin = at.p;
    for (at.skip_blank_lines(); !at.at_end() && table.rows < rows_max; at.skip_blank_lines()) {
      const char* first = at.p;
      const std::size_t first_line = at.line;
      for (std::size_t c = 0; c < plans_.size(); ++c) {
        if (c > 0) {
          if (!at.at_delimiter()) return ragged(from(first, first_line));
          at.skip_delimiter();
        }
        read_into(at, plans_[c], table.columns[c]);
        if (!at.problem.empty()) return error(at, at.problem);
      }
      if (!at.at_line_end()) return ragged(from(first, first_line));
      if (static_cast<std::size_t>(at.p - first) > kCsvLineBytesMax) {
        at.over_limit = true;
        return error(at, "a line of more than " + std::to_string(kCsvLineBytesMax) + " bytes");
      }
      at.skip_line_end();
      if (++table.rows % kRowsPerReport == 0) {
        if (options_.cancelled && options_.cancelled())
          return fail(ErrorCode::Cancelled, "reading was cancelled");
        if (options_.progress) options_.progress(table.rows);
      }
    }
    sample_bytes_ = static_cast<std::size_t>(at.p - begin);
    return table;
  }

  Scanner from(const char* p, std::size_t line) const {
    Scanner scanner(std::string_view(p, static_cast<std::size_t>(text_.data() + text_.size() - p)),
                    options_.delimiter);
    scanner.line = line;
    return scanner;
  }

  std::string_view text_, name_;
  const CsvOptions& options_;
  std::size_t longest_missing_ = 0, sample_bytes_ = 0;
  std::vector<Plan> plans_;
};

bool needs_quotes(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return true;
  if (text.starts_with("\xEF\xBB\xBF")) return true;  // at the start of a file it would be a byte order mark
  static const CsvOptions kDefaults;
  for (const std::string& token : kDefaults.missing) {
    if (text == token) return true;
  }
  return text.find_first_of(",\"\n\r") != std::string_view::npos;
}

void append_text(std::string& out, std::string_view text, bool quotes) {
  if (!quotes) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace

Result<Table> parse_csv(std::string_view text, std::string_view name, const CsvOptions& options) {
  return Reader(text, name, options).read();
}

std::string_view first_csv_record(std::string_view text) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size() && (quoted || text[end] != '\n'); ++end)
    if (text[end] == '"') quoted = !quoted;
  if (end > 0 && text[end - 1] == '\r') --end;
  return text.substr(0, end);
}

std::string format_csv(const Table& table, bool header) {
  std::string out;
  out.reserve(table.rows * table.columns.size() * 8 + 64);
  const auto line_end = [&](std::size_t first) {
    if (out.size() == first && !table.columns.empty()) out += "\"\"";  // an empty line would be skipped
    out += '\n';
  };
  if (header) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      if (c > 0) out += ',';
      append_text(out, table.columns[c].name, needs_quotes(table.columns[c].name));
    }
    line_end(0);
  }
  for (std::size_t row = 0; row < table.rows; ++row) {
    const std::size_t first = out.size();
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const Column& column = table.columns[c];
      if (c > 0) out += ',';
      if (column.type == Column::Type::Number && column.texts.size() != table.rows) {
        append_number(out, column.numbers[row]);
      } else if (!column.missing[row]) {
        append_text(out, column.texts[row], needs_quotes(column.texts[row]));
      }
    }
    line_end(first);
  }
  return out;
}

}  // namespace millrace::tasks
