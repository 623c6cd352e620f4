#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/sql.h"
#include "tasks/processing/sql_expressions.h"
#include "tasks/processing/stream_channel.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSqlRowsAtOnce = 8192;  // of the result, put together as CSV
constexpr std::string_view kScript = "script";

struct SqlSettings {
  std::string script;
  std::int64_t seconds = 3600, file_bytes = std::int64_t{8} << 30, output_bytes = std::int64_t{1} << 30;
};

Result<SqlSettings> read_sql_settings(const Json& settings) {
  MR_DO(check_setting_names(settings, {"sql", "max_seconds", "max_bytes", "max_output_bytes"}, "sql"));
  const Arguments arguments(settings);
  SqlSettings out;
  if (arguments.has("sql") && settings["sql"].is_array()) {
    MR_TRY(lines, arguments.texts("sql"));
    for (const std::string& line : lines) out.script += line + "\n";
  } else {
    MR_TRY(text, arguments.text_or("sql", ""));
    out.script = std::move(text);
  }
  MR_TRY(seconds, arguments.integer_or("max_seconds", out.seconds));
  MR_TRY(file, arguments.integer_or("max_bytes", out.file_bytes));
  MR_TRY(output, arguments.integer_or("max_output_bytes", out.output_bytes));
  if (seconds < 1 || seconds > 30 * 86'400)
    return arguments.wrong("max_seconds", "must be between 1 and 2592000");
  if (file < 1 << 16) return arguments.wrong("max_bytes", "must be at least 65536");
  if (output < 1) return arguments.wrong("max_output_bytes", "must be above 0");
  out.seconds = seconds;
  out.file_bytes = file;
  out.output_bytes = output;
  return out;
}

// A number as SQL should see it: what is written with leading zeros is a name.
void bind_spelled(Statement& statement, int index, const Column& column, std::size_t row) {
  if (is_missing(column, row)) {
    statement.bind_null(index);
    return;
  }
  if (column.type == Column::Type::Text) {
    statement.bind(index, std::string_view(column.texts[row]));
    return;
  }
  const std::string& spelling = column.texts[row];
  const double value = column.numbers[row];
  const bool zeros = spelling.size() > 1 && spelling[0] == '0' && spelling[1] >= '0' && spelling[1] <= '9';
  const bool whole = value == std::trunc(value) && std::abs(value) < 9e15 &&
                     spelling.find_first_of(".eE") == std::string::npos;
  if (zeros)
    statement.bind(index, std::string_view(spelling));
  else if (whole)
    statement.bind(index, static_cast<std::int64_t>(value));
  else
    statement.bind(index, value);
}

Status load_table(Database& database, const NamedUri& input, TaskContext& context, double fraction) {
  Statement insert;
  MR_DO(database.execute("BEGIN"));
  const auto take = [&](const Table& piece) -> Status {
    if (insert.empty()) {
      std::string columns, places;
      std::set<std::string> seen;
      for (const Column& column : piece.columns) {
        columns += (columns.empty() ? "" : ", ") + quoted_sql_name(column.name);
        places += places.empty() ? "?" : ", ?";
      }
      const std::string table = quoted_sql_name(input.name);
      MR_DO(database.execute(("CREATE TABLE " + table + " (" + columns + ")").c_str()));
      MR_TRY(prepared, database.prepare("INSERT INTO " + table + " VALUES (" + places + ")"));
      insert = std::move(prepared);
    }
    for (std::size_t row = 0; row < piece.rows; ++row) {
      for (std::size_t c = 0; c < piece.columns.size(); ++c)
        bind_spelled(insert, static_cast<int>(c + 1), piece.columns[c], row);
      MR_DO(insert.run());
    }
    return {};
  };
  MR_DO(stream_channel(input, context, fraction, {}, take));
  return database.execute("COMMIT");
}

// Rows of the result, as CSV.
class CsvResult {
 public:
  CsvResult(const Statement& statement, std::int64_t bytes_max) : bytes_max_(bytes_max) {
    for (int c = 0; c < statement.columns(); ++c)
      table_.columns.push_back(text_column(std::string(statement.name(c)), {}));
  }

  Status check_names() const {
    std::set<std::string> names;
    for (const Column& column : table_.columns) {
      if (!names.insert(column.name).second)
        return invalid("the result has two columns named \"" + column.name + "\"", "name one with AS");
    }
    return {};
  }

  Status add(const Statement& row) {
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      const int place = static_cast<int>(c);
      Column& column = table_.columns[c];
      const Statement::Cell kind = row.kind(place);
      if (kind == Statement::Cell::Blob)
        return invalid("column \"" + column.name + "\" of the result has blobs", "hex() makes them text");
      column.missing.push_back(kind == Statement::Cell::Null);
      column.texts.push_back(kind == Statement::Cell::Null   ? std::string()
                             : kind == Statement::Cell::Real ? format_number(row.real(place))
                                                             : std::string(row.text(place)));
    }
    ++rows_;
    if (++table_.rows == kSqlRowsAtOnce) return flush();
    return {};
  }

  Status flush() {
    csv_ += format_csv(table_, csv_.empty());
    for (Column& column : table_.columns) column.texts.clear(), column.missing.clear();
    table_.rows = 0;
    if (static_cast<std::int64_t>(csv_.size()) > bytes_max_)
      return fail(ErrorCode::LimitExceeded,
                  "the result is longer than " + std::to_string(bytes_max_) + " bytes",
                  "raise max_output_bytes, or select less");
    return {};
  }

  std::int64_t rows() const { return rows_; }
  const std::string& csv() const { return csv_; }
  std::vector<std::string> names() const { return table_.names(); }

 private:
  Table table_;
  std::string csv_;
  std::int64_t bytes_max_, rows_ = 0;
};

// What stopped a statement: the user, the clock, the disk, or the statement itself.
Error explained(Error error, int number, bool late, const SqlSettings& settings, const TaskContext& context) {
  if (error.code == ErrorCode::Cancelled && !context.cancelled() && late)
    return {ErrorCode::LimitExceeded,
            "the script took longer than " + std::to_string(settings.seconds) + " seconds",
            "raise max_seconds"};
  if (error.code == ErrorCode::Cancelled) return {ErrorCode::Cancelled, "sql was cancelled"};
  if (error.code == ErrorCode::OutOfSpace)
    return {error.code,
            "the script's data are larger than " + std::to_string(settings.file_bytes) +
                " bytes, or the disk is full",
            "raise max_bytes, or free some space"};
  if (error.code == ErrorCode::Internal || error.code == ErrorCode::AlreadyExists)
    error.code = ErrorCode::InvalidArgument;
  error.message = "statement " + std::to_string(number) + ": " + error.message;
  return error;
}

// Nothing but spaces, comments and semicolons.
bool nothing_left(Database& database, std::string_view script) {
  while (!script.empty()) {
    auto next = database.prepare_next(script);
    if (!next || !next->empty()) return false;
  }
  return true;
}

// Runs all statements; the rows of the last one are the result.
Result<CsvResult> run_script(Database& database, std::string_view script, const SqlSettings& settings,
                             const TaskContext& context, const std::function<bool()>& late) {
  for (int number = 1; !script.empty(); ++number) {
    const auto failed = [&](Error error) {
      return fail(explained(std::move(error), number, late(), settings, context));
    };
    auto statement = database.prepare_next(script);
    if (!statement) return failed(statement.error());
    if (statement->empty()) continue;
    const bool last = nothing_left(database, script);
    if (last && statement->columns() == 0)
      return invalid("statement " + std::to_string(number) + ", the last one, gives no rows",
                     "end the script with a SELECT");
    CsvResult result(*statement, settings.output_bytes);
    if (last) MR_DO(result.check_names());
    auto more = statement->step();
    for (; more && *more; more = statement->step()) {
      if (!last) continue;
      if (auto added = result.add(*statement); !added) return fail(added.error());
    }
    if (!more) return failed(more.error());
    if (!last) continue;
    MR_DO(result.flush());
    return result;
  }
  return invalid("the script has no statement", "end it with a SELECT");
}

}  // namespace

Status check_sql(const ProcessingInputs& inputs) {
  MR_TRY(settings, read_sql_settings(inputs.settings));
  const bool by_input = inputs.input(kScript) != nullptr;
  if (settings.script.empty() && !by_input)
    return invalid("sql is required: the script, in the setting sql or as an input named \"script\"");
  if (!settings.script.empty() && by_input)
    return invalid("the setting sql and an input named \"script\" are given; one of them is the script");
  if (inputs.inputs.size() == (by_input ? 1u : 0u))
    return invalid("ProcessingInputs: sql needs a channel; each is a table of its name");
  std::set<std::string> names;
  for (const NamedUri& input : inputs.inputs) {
    std::string lower = input.name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!names.insert(lower).second)
      return invalid("ProcessingInputs: two tables named \"" + input.name + "\"; SQL does not mind case");
    if (lower.starts_with("sqlite_"))
      return invalid("ProcessingInputs: a table can't be named \"" + input.name + "\"");
  }
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: sql needs one output");
  return {};
}

Result<Json> run_sql(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_sql(inputs));
  MR_TRY(settings, read_sql_settings(inputs.settings));
  if (const NamedUri* script = inputs.input(kScript)) {
    MR_TRY(text, context.objects().read(script->uri));
    settings.script = std::move(text);
  }
  const Millis end = context.clock().uptime() + std::chrono::seconds(settings.seconds);
  const std::function<bool()> late = [&] { return context.clock().uptime() > end; };
  SandboxLimits limits;
  limits.file_bytes_max = settings.file_bytes;
  limits.stop = [&] { return context.cancelled() || late(); };
  MR_TRY(database, Database::open_sandbox(std::move(limits)));
  Json tables = Json::array();
  for (const NamedUri& input : inputs.inputs) {
    if (input.name == kScript) continue;
    if (auto loaded = load_table(database, input, context, 0.5); !loaded) {
      if (loaded.error().code != ErrorCode::Cancelled && loaded.error().code != ErrorCode::OutOfSpace)
        return fail(loaded.error());
      return fail(explained(loaded.error(), 0, late(), settings, context));
    }
    tables.push_back(input.name);
  }
  report(context, "Running SQL", 0.5);
  MR_TRY(result, run_script(database, settings.script, settings, context, late));
  MR_DO(context.objects().write(join_uri(inputs.outputs[0].uri, kDataObject), result.csv()));
  return Json{{"tables", std::move(tables)},
              {"rows", result.rows()},
              {"columns", result.names()},
              {"output", inputs.outputs[0].uri}};
}

}  // namespace millrace::tasks
