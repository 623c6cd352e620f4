#include "tasks/processing/channels.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

// Levenshtein distance, capped by the lengths at hand.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::string nearest_column(const Table& table, const std::string& name) {
  std::string best;
  for (const Column& column : table.columns) {
    if (!nearest_name(name, {column.name}).empty()) best = column.name;
  }
  return best;
}

}  // namespace

void report(TaskContext& context, std::string_view phase, double fraction, std::int64_t rows,
            double rows_per_s) {
  Progress progress;
  progress.phase = phase;
  progress.fraction = fraction;
  progress.rows = rows;
  progress.rows_per_s = rows_per_s;
  context.progress(progress);
}

ChannelSource source_of(const NamedUri& input) {
  ChannelSource source = input.source;
  source.uri = input.uri;
  return source;
}

Result<Table> read_channel(const NamedUri& input, TaskContext& context, double fraction_end,
                           CsvOptions options) {
  const Millis start = context.clock().uptime();
  options.keep_spelling = true;
  options.cancelled = [&] { return context.cancelled(); };
  options.progress = [&](std::size_t rows) {
    const double seconds = std::chrono::duration<double>(context.clock().uptime() - start).count();
    report(context, "Downloading", -1, static_cast<std::int64_t>(rows),
           static_cast<double>(rows) / std::max(seconds, 1e-3));
  };
  auto table = read_channel_table(context.objects(), source_of(input), options);
  if (!table) {
    Error error = std::move(table).error();
    error.message = "input \"" + input.name + "\": " + error.message;
    return fail(std::move(error));
  }
  if (table->rows == 0) return invalid("input \"" + input.name + "\": " + input.uri + " has no rows");
  report(context, "Downloading", fraction_end, static_cast<std::int64_t>(table->rows));
  return table;
}

std::string_view nearest_name(std::string_view name, std::initializer_list<std::string_view> names) {
  std::string_view nearest;
  std::size_t fewest = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : names) {
    const std::size_t changes = distance(name.substr(0, 100), candidate);
    if (changes < fewest) fewest = changes, nearest = candidate;
  }
  return nearest;
}

Status check_setting_names(const Json& settings, std::initializer_list<std::string_view> names,
                           std::string_view what) {
  for (const auto& [key, value] : settings.items()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    const std::string_view nearest = nearest_name(key, names);
    std::string all;
    for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
    return invalid(std::string(what) + " has no setting \"" + key + "\"" +
                       (nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?"),
                   "settings: " + all);
  }
  return {};
}

Result<const NamedUri*> dataset_input(const ProcessingInputs& inputs, std::string_view processor) {
  for (const std::string_view name : {"dataset", "data", "test"}) {
    if (const NamedUri* input = inputs.input(name)) return input;
  }
  const NamedUri* only = nullptr;
  for (const NamedUri& input : inputs.inputs) {
    if (input.name == "model" || input.name == "baseline") continue;
    if (only != nullptr) return invalid("ProcessingInputs: which one is the \"dataset\"?");
    only = &input;
  }
  if (only == nullptr)
    return invalid("ProcessingInputs: " + std::string(processor) + " needs an input named \"dataset\"");
  return only;
}

Result<CsvOptions> dataset_options(const Json& settings) {
  const Arguments arguments(settings);
  MR_TRY(type, arguments.text_or("dataset_type", "text/csv"));
  if (type != "text/csv")
    return arguments.wrong("dataset_type", "\"" + type + "\" is not read", "text/csv is");
  CsvOptions options;
  MR_TRY(headers, arguments.texts("headers"));
  options.header = headers.empty();
  options.column_names = std::move(headers);
  return options;
}

Result<const Column*> column_of(const Table& table, const Json& name_or_index, std::string_view setting) {
  const std::string where(setting);
  if (name_or_index.is_number_integer()) {
    const auto index = name_or_index.get<std::int64_t>();
    if (index < 0 || static_cast<std::size_t>(index) >= table.columns.size())
      return invalid(where + ": there is no column " + std::to_string(index) + ", there are " +
                     std::to_string(table.columns.size()) + ", counted from 0");
    return &table.columns[static_cast<std::size_t>(index)];
  }
  if (!name_or_index.is_string())
    return invalid(where + ": expected the name or the place of a column, got " + name_or_index.dump());
  const auto name = name_or_index.get<std::string>();
  if (const Column* column = table.find(name)) return column;
  const std::string nearest = nearest_column(table, name);
  return invalid(where + ": there is no column \"" + name + "\"" +
                 (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
}

Json bounded_summary(Json summary, const std::string& uri, std::initializer_list<std::string_view> kept) {
  if (summary.dump(-1, ' ', false, Json::error_handler_t::replace).size() <= kSummaryBytesMax) return summary;
  Json out = {{"summary_is_in", uri}};
  for (const std::string_view name : kept) {
    if (summary.contains(name)) out[std::string(name)] = summary[std::string(name)];
  }
  return out;
}

}  // namespace millrace::tasks
