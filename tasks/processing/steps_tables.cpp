// Steps that look at several columns at once, or only at their names and types.

#include <algorithm>

#include "tasks/processing/sql_expressions.h"
#include "tasks/processing/steps.h"

namespace millrace::tasks {
namespace {

using Type = SettingRule::Type;

bool names(const FittedStep& step, const Column& column) {
  return std::any_of(step.columns.begin(), step.columns.end(),
                     [&](const FittedColumn& f) { return f.column == column.name; });
}

Status apply_drop(const FittedStep& step, Table& table) {
  std::erase_if(table.columns, [&](const Column& column) { return names(step, column); });
  return {};
}

constexpr SettingRule kRenameRules[] = {{"names", Type::Pairs, "", "", 0, 0, "{\"old\": \"new\"}"}};

Status apply_rename(const FittedStep& step, Table& table) {
  const std::vector<std::string>& pairs = step.settings.list("names");
  for (Column& column : table.columns) {
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      if (column.name != pairs[i]) continue;
      column.name = pairs[i + 1];
      break;
    }
  }
  return {};
}

constexpr SettingRule kCastRules[] = {{"to", Type::Text, "number", "number|text", 0, 0, ""}};

Status apply_cast(const FittedStep& step, Table& table) {
  for (Column& column : table.columns) {
    if (!names(step, column)) continue;
    if (step.settings.text("to") == "text") {
      column = as_texts(column);
    } else {
      MR_TRY(numbers, as_numbers(column));
      column = std::move(numbers);
    }
  }
  return {};
}

// The product of each pair of the columns, behind the others: "a*b".
Status apply_interactions(const FittedStep& step, Table& table) {
  std::vector<std::size_t> chosen;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (names(step, table.columns[c])) chosen.push_back(c);
  }
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    for (std::size_t j = i + 1; j < chosen.size(); ++j) {
      const Column &a = table.columns[chosen[i]], &b = table.columns[chosen[j]];
      std::vector<double> product(table.rows);
      for (std::size_t row = 0; row < table.rows; ++row) product[row] = a.numbers[row] * b.numbers[row];
      Column column = number_column(a.name + "*" + b.name, std::move(product));
      table.columns.push_back(std::move(column));
    }
  }
  return {};
}

constexpr SettingRule kSqlRules[] = {{"expressions", Type::Pairs, "", "", 0, 0,
                                      "{\"ratio\": \"income / age\"}: new column and SQL expression"}};

// Columns that SQL computes, in place of those of the same name or behind the others.
Status apply_sql(const FittedStep& step, Table& table) {
  const std::vector<std::string>& pairs = step.settings.list("expressions");
  std::vector<std::string> names, expressions, columns;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    names.push_back(pairs[i]);
    expressions.push_back(pairs[i + 1]);
  }
  for (const FittedColumn& column : step.columns) columns.push_back(column.column);
  auto sql = SqlExpressions::make(expressions, columns);
  if (!sql) return invalid("step \"sql\": " + sql.error().message, sql.error().hint);
  auto made = sql->evaluate(table, names);
  if (!made) return fail(made.error().code, "step \"sql\": " + made.error().message);
  for (Column& column : *made) {
    if (Column* own = table.find(column.name))
      *own = std::move(column);
    else
      table.columns.push_back(std::move(column));
  }
  return {};
}

}  // namespace

std::span<const StepKind> table_step_kinds() {
  using Needs = StepKind::Needs;
  static constexpr StepKind kKinds[] = {
      {.name = "drop",
       .summary = "takes columns out",
       .needs = Needs::Any,
       .rules = {},
       .apply_table = apply_drop},
      {.name = "rename",
       .summary = "gives columns other names",
       .needs = Needs::Any,
       .rules = kRenameRules,
       .apply_table = apply_rename},
      {.name = "cast",
       .summary = "text to numbers, numbers to text",
       .needs = Needs::Any,
       .rules = kCastRules,
       .apply_table = apply_cast},
      {.name = "interactions",
       .summary = "products of pairs of columns",
       .needs = Needs::Number,
       .rules = {},
       .apply_table = apply_interactions},
      {.name = "sql",
       .summary = "columns that SQL expressions compute from the others of a row",
       .needs = Needs::Any,
       .rules = kSqlRules,
       .apply_table = apply_sql,
       .whole_table = true},
  };
  return kKinds;
}

}  // namespace millrace::tasks
