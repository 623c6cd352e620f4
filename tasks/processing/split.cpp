#include "tasks/processing/split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

using Rows = std::vector<std::uint32_t>;
using Method = SplitSettings::Method;

// Rows wanted of each part; one more part takes what is left over.
Result<std::vector<std::size_t>> sizes_of(const SplitSettings& settings, std::size_t rows) {
  std::vector<std::size_t> sizes;
  double before = 0;
  for (const SplitSettings::Part& part : settings.parts) {
    const double scale = settings.counts ? 1.0 : static_cast<double>(rows);
    const double from = std::round(before * scale), to = std::round((before + part.size) * scale);
    before += part.size;
    if (to > static_cast<double>(rows)) {
      return invalid("the parts have " + format_number(to) + " rows or more, the data has " +
                     std::to_string(rows));
    }
    sizes.push_back(static_cast<std::size_t>(to - from));
    if (sizes.back() == 0) {
      return invalid("the part \"" + part.name + "\" would have no rows of " + std::to_string(rows),
                     "make it larger or leave it out (0)");
    }
  }
  sizes.push_back(rows - std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}));
  return sizes;
}

Result<const Column*> column_of(const Table& table, const SplitSettings& settings) {
  const Column* column = table.find(settings.column);
  if (column == nullptr) return invalid("the data has no column \"" + settings.column + "\" to split by");
  for (std::size_t i = 0; i < table.rows; ++i) {
    if (is_missing(*column, i)) {
      return invalid("row " + std::to_string(i + 1) + " has no \"" + settings.column +
                     "\", the column to split by");
    }
  }
  return column;
}

Rows all_rows(std::size_t n) {
  Rows rows(n);
  std::iota(rows.begin(), rows.end(), 0u);
  return rows;
}

std::vector<Rows> cut(const Rows& order, const std::vector<std::size_t>& sizes) {
  std::vector<Rows> parts;
  auto from = order.begin();
  for (const std::size_t size : sizes) {
    parts.emplace_back(from, from + static_cast<std::ptrdiff_t>(size));
    from += static_cast<std::ptrdiff_t>(size);
  }
  return parts;
}

Rows in_order(const Column& column, std::size_t n) {
  Rows order = all_rows(n);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return column.type == Column::Type::Number ? column.numbers[a] < column.numbers[b]
                                               : column.texts[a] < column.texts[b];
  });
  return order;
}

// Rows by the value they have in the column, values in order.
std::vector<Rows> groups_of(const Column& column, std::size_t n) {
  const Column texts = as_texts(column);
  std::map<std::string_view, Rows> groups;
  for (std::size_t i = 0; i < n; ++i) groups[texts.texts[i]].push_back(static_cast<std::uint32_t>(i));
  std::vector<Rows> out;
  for (auto& [value, rows] : groups) out.push_back(std::move(rows));
  return out;
}

// Deals the groups' rows one by one to the part that is furthest behind its share. As the rows of a group
// come one after the other, every group is dealt in the parts' proportions, and the sizes are exact.
std::vector<Rows> deal(std::vector<Rows> groups, const std::vector<std::size_t>& sizes, std::size_t n,
                       Random& random) {
  std::vector<Rows> parts(sizes.size());
  double dealt = 0;
  for (Rows& group : groups) {
    shuffle(group, random);
    for (const std::uint32_t row : group) {
      ++dealt;
      std::size_t chosen = 0;
      double most = -std::numeric_limits<double>::infinity();
      for (std::size_t k = 0; k < sizes.size(); ++k) {
        if (parts[k].size() == sizes[k]) continue;
        const double behind = static_cast<double>(sizes[k]) * dealt / static_cast<double>(n) -
                              static_cast<double>(parts[k].size());
        if (behind > most) most = behind, chosen = k;
      }
      parts[chosen].push_back(row);
    }
  }
  return parts;
}

// Whole groups in random order, each to the part that lacks the most rows.
std::vector<Rows> deal_groups(std::vector<Rows> groups, const std::vector<std::size_t>& sizes,
                              Random& random) {
  shuffle(groups, random);
  std::vector<Rows> parts(sizes.size());
  for (const Rows& group : groups) {
    std::size_t chosen = 0;
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < sizes.size(); ++k) {
      const double lacks = static_cast<double>(sizes[k]) - static_cast<double>(parts[k].size());
      if (lacks > most) most = lacks, chosen = k;
    }
    parts[chosen].insert(parts[chosen].end(), group.begin(), group.end());
  }
  return parts;
}

}  // namespace

Result<SplitSettings> read_split_settings(const Json& json, std::uint64_t seed) {
  const Arguments arguments(json);
  MR_DO(check_setting_names(json, {"method", "column", "train", "validation", "test", "seed"}, "split"));
  SplitSettings settings;
  MR_TRY(method, arguments.text_or("method", "random"));
  MR_DO(arguments.one_of("method", method, "random|ordered|stratified|key"));
  settings.method = method == "random"    ? Method::Random
                    : method == "ordered" ? Method::Ordered
                    : method == "key"     ? Method::Key
                                          : Method::Stratified;
  MR_TRY(column, arguments.text_or("column", ""));
  settings.column = std::move(column);
  if (settings.method != Method::Random && settings.column.empty()) {
    return arguments.wrong("column", "is required: the column to split by, with method " + method);
  }
  const bool sized = arguments.has("train") || arguments.has("validation") || arguments.has("test");
  double sum = 0;
  for (const auto& [name, otherwise] :
       {std::pair("train", 0.7), std::pair("validation", 0.15), std::pair("test", 0.15)}) {
    MR_TRY(size, arguments.real_or(name, sized ? 0.0 : otherwise));
    if (!(size >= 0)) return arguments.wrong(name, "must not be negative");
    settings.counts |= size > 1;
    sum += size;
    if (size > 0) settings.parts.push_back({name, size});
  }
  if (settings.parts.empty()) return invalid("train, validation and test are all 0");
  if (!settings.counts && sum > 1 + 1e-9) {
    return invalid("the fractions of train, validation and test sum up to " + format_number(sum) +
                   ", more than 1");
  }
  for (const SplitSettings::Part& part : settings.parts) {
    if (settings.counts && part.size != std::trunc(part.size)) {
      return arguments.wrong(part.name, "must be a whole number where others are counts of rows");
    }
  }
  MR_TRY(seed_given, arguments.integer_or("seed", static_cast<std::int64_t>(seed)));
  settings.seed = static_cast<std::uint64_t>(seed_given);
  return settings;
}

Result<std::vector<Rows>> split_rows(const Table& table, const SplitSettings& settings) {
  MR_TRY(sizes, sizes_of(settings, table.rows));
  const Column* column = nullptr;
  if (settings.method != Method::Random) {
    MR_TRY(found, column_of(table, settings));
    column = found;
  }
  Random random = Random(settings.seed).derive("split");
  std::vector<Rows> parts;
  switch (settings.method) {
    case Method::Random: {
      Rows order = all_rows(table.rows);
      shuffle(order, random);
      parts = cut(order, sizes);
      break;
    }
    case Method::Ordered:
      parts = cut(in_order(*column, table.rows), sizes);
      break;
    case Method::Stratified:
      parts = deal(groups_of(*column, table.rows), sizes, table.rows, random);
      break;
    case Method::Key:
      parts = deal_groups(groups_of(*column, table.rows), sizes, random);
      break;
  }
  parts.resize(settings.parts.size());  // without what is left over
  for (std::size_t k = 0; k < parts.size(); ++k) {
    if (parts[k].empty()) {
      return invalid("the part \"" + settings.parts[k].name + "\" got no rows: \"" + settings.column +
                     "\" has too few values");
    }
    if (settings.method != Method::Ordered) std::sort(parts[k].begin(), parts[k].end());
  }
  return parts;
}

Status check_split(const ProcessingInputs& inputs) {
  MR_TRY(settings, read_split_settings(inputs.settings, 0));
  if (inputs.inputs.empty()) return invalid("ProcessingInputs: split needs a channel to read");
  for (const SplitSettings::Part& part : settings.parts) MR_DO(inputs.output_for(part.name));
  return {};
}

Result<Json> run_split(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_split(inputs));
  MR_TRY(settings, read_split_settings(inputs.settings, context.seed()));
  Table table;
  for (std::size_t i = 0; i < inputs.inputs.size(); ++i) {
    MR_TRY(part, read_channel(inputs.inputs[i], context, 0.5));
    if (i == 0) {
      table = std::move(part);
      continue;
    }
    if (auto appended = append_rows(table, part); !appended) {
      return invalid("input \"" + inputs.inputs[i].name + "\": " + appended.error().message);
    }
  }
  MR_TRY(parts, split_rows(table, settings));
  Json rows = Json::object(), outputs = Json::object();
  for (std::size_t k = 0; k < parts.size(); ++k) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "split was cancelled");
    report(context, "Writing", 0.5 + 0.5 * static_cast<double>(k) / static_cast<double>(parts.size()));
    const std::string& name = settings.parts[k].name;
    MR_TRY(uri, inputs.output_for(name));
    MR_DO(write_table(context.objects(), join_uri(uri, kDataObject), select_rows(table, parts[k])));
    rows[name] = parts[k].size();
    outputs[name] = uri;
    context.log(name + ": " + std::to_string(parts[k].size()) + " rows to " + uri);
  }
  return Json{{"rows", std::move(rows)}, {"outputs", std::move(outputs)}, {"seed", settings.seed}};
}

}  // namespace millrace::tasks
