#pragma once
// The public data sets of ../shared/data, whose fixed splits the published figures belong to.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "tasks/table/csv.h"
#include "tasks/training/estimator.h"
#include "tests/support/paths.h"

namespace millrace::tasks {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The rows of one part as features and targets.
struct Parts {
  Dataset train, valid, test;
};

enum class Encoding {
  Codes,
  OneHot
};  // of categories: their place among the train values, or a column for each value

struct Source {
  Table table;
  Json meta;
  std::vector<std::string> part;  // by row
};

inline std::optional<Source> open_source(const std::string& name) {
  const std::filesystem::path directory = std::filesystem::path(source_path("/../shared/data")) / name;
  if (!std::filesystem::exists(directory / "split.csv")) {
    MESSAGE("skipped: ../shared/data/" << name << " is not there");
    return std::nullopt;
  }
  Source source;
  source.table = *parse_csv(read_text(directory / "data.csv"), name);
  source.meta = Json::parse(read_text(directory / "meta.json"));
  const Table split = *parse_csv(read_text(directory / "split.csv"), "split.csv");
  source.part.resize(source.table.rows);
  for (std::size_t i = 0; i < split.rows; ++i)
    source.part[static_cast<std::size_t>(split.find("row")->numbers[i])] = split.find("part")->texts[i];
  return source;
}

inline std::string cell(const Column& column, std::size_t i) {
  return column.type == Column::Type::Text ? column.texts[i] : std::to_string(column.numbers[i]);
}

// Columns of numbers to append to every row, for one column of the table.
inline std::vector<std::vector<float>> encode(const Source& source, const Column& column, bool categorical,
                                              Encoding encoding) {
  const std::size_t n = source.table.rows;
  if (!categorical) {
    std::vector<float> values(column.numbers.begin(), column.numbers.end());
    return {values};
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < n; ++i) {
    if (source.part[i] == "train" && !(column.type == Column::Type::Text && column.missing[i]))
      seen.insert(cell(column, i));
  }
  std::vector<float> codes(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto found = seen.find(cell(column, i));
    codes[i] = found == seen.end() ? -1 : static_cast<float>(std::distance(seen.begin(), found));
  }
  if (encoding == Encoding::Codes) return {codes};
  std::vector<std::vector<float>> columns;
  for (int c = -1; c < static_cast<int>(seen.size()); ++c) {
    std::vector<float> hot(n);
    for (std::size_t i = 0; i < n; ++i) hot[i] = codes[i] == static_cast<float>(c);
    columns.push_back(std::move(hot));
  }
  return columns;
}

inline Parts make_parts(const Source& source, Encoding encoding) {
  const std::string target = source.meta["target"];
  std::set<std::string> categorical;
  for (const Json& name : source.meta["categorical"]) categorical.insert(name.get<std::string>());
  std::set<std::string> dropped;
  for (const Json& name : source.meta.value("drop", Json::array())) dropped.insert(name.get<std::string>());
  std::vector<std::vector<float>> columns;
  for (const Column& column : source.table.columns) {
    if (column.name == target || dropped.contains(column.name)) continue;
    for (auto& values : encode(source, column, categorical.contains(column.name), encoding))
      columns.push_back(std::move(values));
  }
  const Column& y = *source.table.find(target);
  const bool regression = source.meta["task"] == "regression";
  std::set<std::string> classes;
  for (std::size_t i = 0; i < source.table.rows; ++i) classes.insert(cell(y, i));
  Parts parts;
  for (std::size_t i = 0; i < source.table.rows; ++i) {
    Dataset& data = source.part[i] == "train"   ? parts.train
                    : source.part[i] == "valid" ? parts.valid
                                                : parts.test;
    for (const auto& column : columns) data.X.values.push_back(column[i]);
    ++data.X.rows, data.X.cols = columns.size();
    data.y.push_back(regression ? y.numbers[i]
                     : source.meta.contains("positive")
                         ? double(cell(y, i) == source.meta["positive"])
                         : double(std::distance(classes.begin(), classes.find(cell(y, i)))));
  }
  return parts;
}

}  // namespace millrace::tasks
