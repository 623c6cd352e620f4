#include "tasks/training/channel_data.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/encoding.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/table/record_lines.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/row_stream.h"

namespace millrace::tasks {

namespace {

// The channel's first line and how many cells it has; whether it is a header.
struct FirstLine {
  bool header = true;
  std::size_t cells = 0;
  std::string text;
  std::string object;  // whose it is
};

Result<FirstLine> read_first_line(const ObjectStore& objects, const TrainingChannel& channel) {
  MR_TRY(uris, channel_objects(objects, channel.source));
  const std::string& name = uris.front();
  MR_TRY(line, channel_first_line(objects, channel.source, name));
  FirstLine first;
  if (line.empty()) return invalid(channel.name + ": " + name + " holds no rows");
  first.text = line, first.object = name;
  MR_TRY(looks, look_at_line(line, name));
  first.cells = looks.cells;
  first.header = channel.header == TrainingChannel::Header::Unknown
                     ? looks.header
                     : channel.header == TrainingChannel::Header::Present;
  return first;
}

bool weights_in_csv(const TrainingSpec& spec) {
  const auto found = spec.parameters.find("csv_weights");
  return found != spec.parameters.end() && found->second == "1";
}

std::vector<std::string> names_without_header(const TrainingSpec& spec, const TrainingChannel& channel,
                                              std::size_t cells) {
  std::vector<std::string> names;
  if (spec.has_target(channel)) names.push_back("target");
  if (weights_in_csv(spec)) names.push_back("weight");
  for (std::size_t i = 0; names.size() < cells; ++i) names.push_back("f" + std::to_string(i));
  names.resize(cells);
  return names;
}

// Which columns are what.
struct Roles {
  std::string target, weight, group;  // empty: none
  std::size_t count() const {
    return (target.empty() ? 0u : 1u) + (weight.empty() ? 0u : 1u) + (group.empty() ? 0u : 1u);
  }
};

std::string listed(const Table& table) {
  std::string text;
  for (const std::string& name : table.names()) text += (text.empty() ? "" : ", ") + name;
  return text.substr(0, 400);
}

Result<Roles> roles_of(const TrainingSpec& spec, const TrainingChannel& channel, const Table& table,
                       bool header) {
  Roles roles;
  if (!header && !spec.target.empty()) {
    return invalid(channel.name + ": the data has no header, so HyperParameters.target = '" + spec.target +
                       "' names no column: without a header the target is the first column",
                   "set ContentType to \"text/csv; header=present\" if the first line is a header");
  }
  roles.target = spec.target;
  if (roles.target.empty() && spec.has_target(channel)) roles.target = table.columns.at(0).name;
  // Nothing needs it, so a channel may come without.
  if (!spec.has_target(channel) && table.find(roles.target) == nullptr) roles.target.clear();
  roles.weight = spec.weight;
  if (roles.weight.empty() && weights_in_csv(spec) && table.columns.size() > 1) {
    const std::size_t first = table.columns[0].name == roles.target ? 1 : 0;
    roles.weight = table.columns[first].name;
  }
  roles.group = spec.group;
  const bool libsvm = channel.source.format == ChannelSource::Format::Libsvm;
  if (libsvm && roles.group.empty() && table.find(kLibsvmQueries)) roles.group = kLibsvmQueries;
  for (const std::string* name : {&roles.target, &roles.weight, &roles.group}) {
    if (!name->empty() && table.find(*name) == nullptr) {
      return invalid(channel.name + ": there is no column '" + *name + "'",
                     "the columns are " + listed(table));
    }
  }
  if (roles.target == roles.weight && !roles.target.empty())
    return invalid("HyperParameters: target and weight name the same column '" + roles.target + "'");
  if (!roles.group.empty() && (roles.group == roles.target || roles.group == roles.weight))
    return invalid("HyperParameters: group names the same column as another: '" + roles.group + "'");
  return roles;
}

Result<std::vector<double>> number_column(const TrainingChannel& channel, const Column& column,
                                          std::string_view role) {
  if (column.type == Column::Type::Number) return column.numbers;
  constexpr const char* kRemedy =
      "algorithms take numbers: mend the cell, encode text columns with the `prepare` processor, or drop "
      "them";
  if (!column.first_text.empty()) return invalid(channel.name + ": " + column.first_text, kRemedy);
  std::size_t row = 0;
  while (row + 1 < column.texts.size() && column.missing[row]) ++row;
  return invalid(channel.name + ": column '" + column.name + "' (" + std::string(role) + ") holds text: '" +
                     (column.texts.empty() ? "" : column.texts[row].substr(0, 60)) + "' in row " +
                     std::to_string(row + 1),
                 kRemedy);
}

// `data` has the places of the rows.
Result<std::vector<double>> target_column(const TrainingChannel& channel, const Column& column,
                                          const Dataset& data, const ChannelData* like,
                                          std::vector<std::string>& classes) {
  const bool texts = column.type == Column::Type::Text;
  const bool compared = like != nullptr && !like->data.y.empty();
  if (compared && texts != !like->classes.empty()) {
    return invalid(channel.name + ": target '" + column.name + "' holds " + (texts ? "text" : "numbers") +
                   ", but " + (texts ? "numbers" : "text") + " in train");
  }
  if (!texts) return column.numbers;
  std::set<std::string> distinct;
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    if (column.missing[i])
      return invalid(channel.name + ": " + row_place(data, i) + ": target '" + column.name +
                         "' is missing or not finite",
                     "drop rows without a target");
    if (!compared) distinct.insert(column.texts[i]);
  }
  if (compared)
    classes = like->classes;
  else
    classes.assign(distinct.begin(), distinct.end());
  std::vector<double> y;
  y.reserve(column.texts.size());
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    const auto found = std::ranges::lower_bound(classes, column.texts[i]);
    if (found == classes.end() || *found != column.texts[i]) {
      return invalid(channel.name + ": " + row_place(data, i) + ": class '" + column.texts[i] +
                     "' is not in the train channel");
    }
    y.push_back(static_cast<double>(found - classes.begin()));
  }
  return y;
}

// What a form says in its own way: labels that nobody asked for, and values that are not there.
Status fit_to_algorithm(const TrainingSpec& spec, const TrainingChannel& channel, Table& table) {
  using Format = ChannelSource::Format;
  if (channel.source.format == Format::RecordIo) {
    const bool labels = !table.columns.empty() && table.columns[0].name == "target";
    if (!labels && spec.has_target(channel))
      return invalid(channel.name + ": its records have no label",
                     std::string(spec.kind->name) + " learns from labelled rows");
    if (labels && !spec.has_target(channel)) table.columns.erase(table.columns.begin());
  }
  if (channel.source.format == Format::Libsvm && !spec.kind->needs.missing) {
    for (Column& column : table.columns)
      for (double& value : column.numbers) value = std::isnan(value) ? 0.0 : value;
  }
  return {};
}

// Of a table of one column: what its cells are separated by instead, where it looks so.
Status check_separator(const TrainingChannel& channel, const Table& table) {
  if (channel.source.format != ChannelSource::Format::Csv || table.columns.size() != 1) return {};
  const Column& only = table.columns[0];
  const std::string cell = only.name + (only.texts.empty() ? "" : only.texts[0]);
  for (const auto& [separator, word] :
       {std::pair(';', "';'"), std::pair('\t', "tabs"), std::pair('|', "'|'")}) {
    if (cell.find(separator) == std::string::npos) continue;
    return invalid(channel.name + ": " + (table.parts.empty() ? channel.uri : table.parts[0].name) +
                       " has one column, whose cells hold " + word,
                   "cells of CSV are separated by commas");
  }
  return {};
}

Result<Dataset> make_dataset(const TrainingChannel& channel, const Table& table, const Roles& roles,
                             const ChannelData* like) {
  Dataset data;
  for (const Table::Part& part : table.parts)
    data.sources.push_back({part.name, static_cast<std::int64_t>(part.first_row)});
  if (like != nullptr) {
    data.feature_names = like->data.feature_names;
  } else {
    for (const Column& column : table.columns) {
      if (column.name != roles.target && column.name != roles.weight && column.name != roles.group)
        data.feature_names.push_back(column.name);
    }
  }
  const std::size_t d = data.feature_names.size();
  data.X = Matrix(table.rows, d);
  for (std::size_t j = 0; j < d; ++j) {
    const Column* column = table.find(data.feature_names[j]);
    if (column == nullptr) {
      return invalid(channel.name + ": there is no column '" + data.feature_names[j] + "', which train has",
                     "the columns are " + listed(table));
    }
    MR_TRY(numbers, number_column(channel, *column, "a feature"));
    for (std::size_t i = 0; i < table.rows; ++i) data.X.at(i, j) = static_cast<float>(numbers[i]);
  }
  if (like != nullptr && table.columns.size() != d + roles.count()) {
    return invalid(channel.name + ": there are " + std::to_string(table.columns.size()) +
                       " columns, but train has " + std::to_string(d + roles.count()),
                   "the columns are " + listed(table));
  }
  return data;
}

}  // namespace

Result<ChannelColumns> read_columns(const ObjectStore& objects, const TrainingSpec& spec,
                                    const TrainingChannel& channel) {
  MR_TRY(first, read_first_line(objects, channel));
  CsvOptions options;
  options.header = first.header;
  if (!first.header) options.column_names = names_without_header(spec, channel, first.cells);
  MR_TRY(table, parse_csv(first.text, first.object, options));
  MR_TRY(roles, roles_of(spec, channel, table, first.header));
  return ChannelColumns{first.header, table.names(), roles.target, roles.weight, roles.group};
}

// A channel of numbers alone, three times as fast and without a table between; nothing when it is not that,
// and the slow way says what it is.
static Result<std::optional<ChannelData>> read_numbers(const ObjectStore& objects, const TrainingSpec& spec,
                                                       const TrainingChannel& channel,
                                                       const ChannelData* like,
                                                       const std::function<bool()>& cancelled,
                                                       const RankRows* ranks = nullptr) {
  RowStreamOptions options;
  options.cancelled = cancelled;
  options.ranks = ranks;
  MR_TRY(stream, open_row_stream(objects, spec, channel, std::move(options)));
  ChannelData result;
  Dataset& data = result.data = stream->head();
  const bool no_target = spec.kind->needs.target == TargetUse::None;
  if (like != nullptr && (data.feature_names != like->data.feature_names || !like->classes.empty()))
    return std::optional<ChannelData>();
  RowBlock block;
  for (;;) {
    const auto more = stream->next(block);
    if (!more && more.error().code == ErrorCode::InvalidArgument) return std::optional<ChannelData>();
    MR_TRY(any, more);
    if (!any) break;
    if (data.X.rows == 0) {
      const auto rows = ranks ? ranks->count() : static_cast<std::size_t>(stream->rows_expected() * 1.05);
      data.X.values.reserve(rows * block.X.cols);
      if (!no_target) data.y.reserve(rows);
    }
    data.X.cols = block.X.cols, data.X.rows += block.X.rows;
    for (Dataset::Source& source : block.sources) {
      if (data.sources.empty() || data.sources.back().first_row != source.first_row)
        data.sources.push_back(std::move(source));
    }
    data.X.values.insert(data.X.values.end(), block.X.values.begin(), block.X.values.end());
    if (!no_target) data.y.insert(data.y.end(), block.y.begin(), block.y.end());
    data.weights.insert(data.weights.end(), block.weights.begin(), block.weights.end());
    data.groups.insert(data.groups.end(), block.groups.begin(), block.groups.end());
  }
  if (no_target) data.target_name.clear();
  result.sha256 = stream->sha256();
  return std::optional(std::move(result));
}

Result<std::optional<ChannelData>> read_number_rows(const ObjectStore& objects, const TrainingSpec& spec,
                                                    const TrainingChannel& channel, const RankRows& rows,
                                                    const std::function<bool()>& cancelled) {
  MR_TRY(read, read_numbers(objects, spec, channel, nullptr, cancelled, &rows));
  if (read && read->data.X.rows != rows.count())
    return fail(ErrorCode::DataLoss, channel.name + ": the objects changed while they were read");
  return read;
}

Result<ChannelData> read_channel(const ObjectStore& objects, const TrainingSpec& spec,
                                 const TrainingChannel& channel, const ChannelData* like,
                                 const std::function<bool()>& cancelled) {
  if (channel.source.plain()) {
    MR_TRY(numbers, read_numbers(objects, spec, channel, like, cancelled));
    if (numbers) return std::move(*numbers);
  }
  CsvOptions options;
  options.header = channel.source.named();
  options.cancelled = cancelled;
  if (channel.source.format == ChannelSource::Format::Csv && !channel.source.named()) {
    MR_TRY(first, read_first_line(objects, channel));
    options.header = first.header;
    if (!first.header) options.column_names = names_without_header(spec, channel, first.cells);
  }
  MR_TRY(table, read_channel_table(objects, channel.source, options));
  MR_DO(fit_to_algorithm(spec, channel, table));
  if (table.rows == 0)
    return invalid(channel.name + ": there are no rows", "the first line was taken as the header");
  MR_DO(check_separator(channel, table));
  MR_TRY(roles, roles_of(spec, channel, table, options.header));
  ChannelData result;
  MR_TRY(data, make_dataset(channel, table, roles, like));
  result.data = std::move(data);
  if (!roles.target.empty() && spec.kind->needs.target != TargetUse::None) {
    result.data.target_name = roles.target;
    MR_TRY(y, target_column(channel, *table.find(roles.target), result.data, like, result.classes));
    result.data.y = std::move(y);
  }
  if (!roles.weight.empty()) {
    MR_TRY(weights, number_column(channel, *table.find(roles.weight), "the weight"));
    result.data.weights = std::move(weights);
  }
  if (!roles.group.empty()) {
    MR_TRY(groups, number_column(channel, *table.find(roles.group), "the query"));
    result.data.groups = std::move(groups);
  }
  MR_TRY(sha256, channel_sha256(objects, channel.source));
  result.sha256 = std::move(sha256);
  return result;
}

}  // namespace millrace::tasks
