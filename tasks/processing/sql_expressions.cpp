#include "tasks/processing/sql_expressions.h"

#include <cmath>
#include <limits>

namespace millrace::tasks {
namespace {

// Numbers are REAL, whole ones too: 7 / 2 is 3.5 whatever the other rows hold.
void bind_cell(Statement& statement, int index, const Column& column, std::size_t row) {
  if (is_missing(column, row)) {
    statement.bind_null(index);
  } else if (column.type == Column::Type::Text) {
    statement.bind(index, std::string_view(column.texts[row]));
  } else {
    statement.bind(index, column.numbers[row]);
  }
}

}  // namespace

std::string quoted_sql_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

Result<SqlExpressions> SqlExpressions::make(const std::vector<std::string>& expressions,
                                            const std::vector<std::string>& columns,
                                            std::function<bool()> cancelled) {
  if (columns.size() > kSqlColumnsMax)
    return fail(ErrorCode::LimitExceeded, "SQL sees at most " + std::to_string(kSqlColumnsMax) +
                                              " columns, there are " + std::to_string(columns.size()));
  SqlExpressions out;
  out.columns_ = columns;
  SandboxLimits limits;
  limits.file_bytes_max = 1 << 20;
  limits.value_bytes_max = 1 << 20;
  limits.deterministic = true;
  limits.stop = std::move(cancelled);
  MR_TRY(database, Database::open_sandbox(std::move(limits)));
  out.database_ = std::move(database);
  std::string inner = "SELECT ";
  for (std::size_t c = 0; c < columns.size(); ++c)
    inner +=
        (c > 0 ? ", " : "") + std::string("?") + std::to_string(c + 1) + " AS " + quoted_sql_name(columns[c]);
  std::size_t bytes = 0;
  std::string sql = "SELECT ";
  for (std::size_t e = 0; e < expressions.size(); ++e) {
    const std::string& expression = expressions[e];
    bytes += expression.size();
    if (bytes > kSqlExpressionBytesMax)
      return fail(ErrorCode::LimitExceeded,
                  "expressions are longer than " + std::to_string(kSqlExpressionBytesMax) + " bytes");
    // Alone first: an expression may not close the bracket it is put into.
    const std::string whole = "SELECT (" + expression + "\n) FROM (" + inner + ")";
    std::string_view rest = whole;
    auto prepared = out.database_.prepare_next(rest);
    const bool one = prepared.has_value() && prepared->columns() == 1 && rest.empty();
    if (!prepared) return invalid("\"" + expression.substr(0, 100) + "\": " + prepared.error().message);
    if (!one) return invalid("\"" + expression.substr(0, 100) + "\" is not one SQL expression");
    sql += (e > 0 ? ", (" : "(") + expression + "\n)";
  }
  sql += " FROM (" + inner + ")";
  std::string_view rest = sql;
  MR_TRY(statement, out.database_.prepare_next(rest));
  if (statement.columns() != static_cast<int>(expressions.size()) || !rest.empty())
    return invalid("the expressions are not SQL expressions");
  out.statement_ = std::move(statement);
  return out;
}

Result<std::vector<Column>> SqlExpressions::evaluate(const Table& table,
                                                     const std::vector<std::string>& names) {
  std::vector<const Column*> sources;
  for (const std::string& name : columns_) {
    const Column* column = table.find(name);
    if (column == nullptr) return invalid("there is no column \"" + name + "\"");
    sources.push_back(column);
  }
  std::vector<Column> texts(names.size()), numbers(names.size());
  std::vector<std::uint8_t> is_text(names.size());
  for (std::size_t row = 0; row < table.rows; ++row) {
    for (std::size_t c = 0; c < sources.size(); ++c)
      bind_cell(statement_, static_cast<int>(c + 1), *sources[c], row);
    auto there = statement_.step();
    if (!there || !*there) {
      if (!there && there.error().code == ErrorCode::Cancelled) return fail(there.error());
      return invalid("row " + std::to_string(row + 1) + ": " +
                     (there ? std::string("SQL gave no value") : there.error().message));
    }
    for (std::size_t e = 0; e < names.size(); ++e) {
      const int place = static_cast<int>(e);
      const Statement::Cell kind = statement_.kind(place);
      if (kind == Statement::Cell::Blob)
        return invalid("row " + std::to_string(row + 1) + ": \"" + names[e] + "\" is a blob");
      const bool none = kind == Statement::Cell::Null, text = kind == Statement::Cell::Text;
      is_text[e] |= text;
      texts[e].missing.push_back(none);
      texts[e].texts.push_back(none   ? std::string()
                               : text ? std::string(statement_.text(place))
                                      : format_number(statement_.real(place)));
      numbers[e].numbers.push_back(none || text ? std::numeric_limits<double>::quiet_NaN()
                                                : statement_.real(place));
    }
    statement_.reset();
  }
  std::vector<Column> out;
  for (std::size_t e = 0; e < names.size(); ++e) {
    Column& column = is_text[e] != 0 ? texts[e] : numbers[e];
    column.type = is_text[e] != 0 ? Column::Type::Text : Column::Type::Number;
    column.name = names[e];
    out.push_back(std::move(column));
  }
  return out;
}

}  // namespace millrace::tasks
