#include "tasks/evaluation/slices.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/processing/statistics.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kNumberValuesMax = 10;  // a column of more distinct numbers is cut at its quartiles

std::string range_name(double low, double high, bool last) {
  return "[" + format_number(low) + ", " + format_number(high) + (last ? "]" : ")");
}

std::vector<RowSlice> quarters(const Column& column) {
  const std::vector<double> sorted = sorted_values(column.numbers);
  std::vector<double> edges = {sorted.front()};
  for (const double q : {0.25, 0.5, 0.75, 1.0}) {
    const double edge = quantile(sorted, q);
    if (edge > edges.back()) edges.push_back(edge);
  }
  std::vector<RowSlice> out;
  for (std::size_t e = 0; e + 1 < edges.size(); ++e)
    out.push_back({range_name(edges[e], edges[e + 1], e + 2 == edges.size()), {}});
  RowSlice missing{"(missing)", {}};
  for (std::size_t i = 0; i < column.numbers.size(); ++i) {
    const auto row = static_cast<std::uint32_t>(i);
    if (is_missing(column, i)) {
      missing.rows.push_back(row);
      continue;
    }
    const auto above = std::upper_bound(edges.begin(), edges.end(), column.numbers[i]) - edges.begin();
    out[std::min(static_cast<std::size_t>(above - 1), out.size() - 1)].rows.push_back(row);
  }
  if (!missing.rows.empty()) out.push_back(std::move(missing));
  return out;
}

}  // namespace

std::vector<RowSlice> slices_of(const Column& column) {
  if (column.type == Column::Type::Number) {
    std::set<double> distinct;
    for (const double x : column.numbers) {
      if (x == x && distinct.size() <= kNumberValuesMax) distinct.insert(x);
    }
    if (distinct.size() > kNumberValuesMax) return quarters(column);
  }
  const Column texts = as_texts(column);
  std::map<std::string, std::vector<std::uint32_t>> groups;
  for (std::size_t i = 0; i < texts.texts.size(); ++i)
    groups[texts.missing[i] != 0 ? "(missing)" : texts.texts[i]].push_back(static_cast<std::uint32_t>(i));
  std::vector<RowSlice> out;
  for (auto& [name, rows] : groups) out.push_back({name, std::move(rows)});
  if (out.size() <= kSliceValuesMax) return out;
  std::stable_sort(out.begin(), out.end(),
                   [](const RowSlice& a, const RowSlice& b) { return a.rows.size() > b.rows.size(); });
  RowSlice other{"(other)", {}};
  for (std::size_t s = kSliceValuesMax; s < out.size(); ++s)
    other.rows.insert(other.rows.end(), out[s].rows.begin(), out[s].rows.end());
  std::sort(other.rows.begin(), other.rows.end());
  out.resize(kSliceValuesMax);
  std::stable_sort(out.begin(), out.end(),
                   [](const RowSlice& a, const RowSlice& b) { return a.name < b.name; });
  out.push_back(std::move(other));
  return out;
}

Json slice_metrics(std::span<const RowSlice> slices, std::span<const double> labels, MatrixView predictions,
                   const EvaluationSettings& settings) {
  Json out = Json::object();
  for (const RowSlice& slice : slices) {
    std::vector<double> own;
    Matrix answers(slice.rows.size(), predictions.cols);
    for (std::size_t i = 0; i < slice.rows.size(); ++i) {
      own.push_back(labels[slice.rows[i]]);
      const auto row = predictions.row(slice.rows[i]);
      std::copy(row.begin(), row.end(),
                answers.values.begin() + static_cast<std::ptrdiff_t>(i * predictions.cols));
    }
    Json& entry = out[slice.name];
    entry["rows"] = slice.rows.size();
    for (const auto& [name, value] : task_metrics(own, answers, settings)) entry[std::string(name)] = value;
  }
  return out;
}

}  // namespace millrace::tasks
