#include "tasks/processing/row_rules.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/sql_expressions.h"

namespace millrace::tasks {

bool RowFilter::covers(const std::string& channel) const {
  return channels.empty() || std::find(channels.begin(), channels.end(), channel) != channels.end();
}

Result<std::optional<RowFilter>> read_row_filter(const Json& settings) {
  const Arguments arguments(settings);
  if (!arguments.has("filter")) return std::optional<RowFilter>();
  RowFilter out;
  if (settings["filter"].is_string()) {
    out.where = settings["filter"].get<std::string>();
  } else {
    MR_TRY(from, arguments.object("filter"));
    MR_DO(check_setting_names(from.json(), {"where", "channels"}, "filter"));
    MR_TRY(where, from.text("where"));
    MR_TRY(channels, from.texts("channels"));
    out.where = std::move(where);
    out.channels = std::move(channels);
  }
  if (out.where.empty()) return arguments.wrong("filter", "is empty");
  return std::optional<RowFilter>(std::move(out));
}

Result<Table> filter_rows(const Table& rows, const RowFilter& filter,
                          const std::function<bool()>& cancelled) {
  auto condition = SqlExpressions::make({"(" + filter.where + "\n) IS TRUE"}, rows.names(), cancelled);
  if (!condition) {
    Error error = condition.error();
    const std::size_t reason = error.message.rfind("\": ");  // behind the condition as it was put together
    error.message = "filter \"" + filter.where +
                    (reason == std::string::npos ? "\": " + error.message : error.message.substr(reason));
    return fail(std::move(error));
  }
  MR_TRY(found, condition->evaluate(rows, {"filter"}));
  std::vector<std::uint32_t> kept;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    if (found[0].numbers[i] == 1) kept.push_back(static_cast<std::uint32_t>(i));
  }
  if (kept.empty()) return invalid("filter: no row is left of " + std::to_string(rows.rows));
  return select_rows(rows, kept);
}

Result<Balance> read_balance(const Json& settings) {
  const Arguments arguments(settings);
  MR_TRY(text, arguments.text_or("balance", "none"));
  MR_DO(arguments.one_of("balance", text, "none|over|under|weights"));
  return text == "over"      ? Balance::Over
         : text == "under"   ? Balance::Under
         : text == "weights" ? Balance::Weights
                             : Balance::None;
}

Result<Table> balanced_rows(Table training, Balance balance, Random random) {
  if (balance == Balance::None) return training;
  const Column& target = training.columns.front();
  std::map<double, std::vector<std::uint32_t>> classes;
  for (std::size_t i = 0; i < training.rows; ++i) {
    classes[target.numbers[i]].push_back(static_cast<std::uint32_t>(i));
    if (classes.size() > kBalancedClassesMax)
      return invalid("balance: the target has more than " + std::to_string(kBalancedClassesMax) +
                         " values; it is for classes",
                     "leave it out for a target of numbers");
  }
  if (classes.size() < 2) return invalid("balance: all training rows are of one class");
  if (balance == Balance::Weights) {
    if (training.find(kWeightColumn) != nullptr)
      return invalid("balance: there is a column \"" + std::string(kWeightColumn) + "\" already",
                     "rename it with a step");
    std::vector<double> weights(training.rows);
    for (const auto& [label, rows] : classes) {
      const double weight = static_cast<double>(training.rows) /
                            (static_cast<double>(classes.size()) * static_cast<double>(rows.size()));
      for (const std::uint32_t row : rows) weights[row] = weight;
    }
    training.columns.insert(training.columns.begin() + 1,
                            number_column(std::string(kWeightColumn), std::move(weights)));
    return training;
  }
  std::size_t smallest = training.rows, largest = 0;
  for (const auto& [label, rows] : classes) {
    smallest = std::min(smallest, rows.size());
    largest = std::max(largest, rows.size());
  }
  std::vector<std::uint32_t> kept;
  for (auto& [label, rows] : classes) {
    if (balance == Balance::Under) {
      shuffle(rows, random);
      rows.resize(smallest);
    }
    kept.insert(kept.end(), rows.begin(), rows.end());
    for (std::size_t more = rows.size(); balance == Balance::Over && more < largest; ++more)
      kept.push_back(rows[random.below(rows.size())]);
  }
  std::sort(kept.begin(), kept.end());
  return select_rows(training, kept);
}

}  // namespace millrace::tasks
