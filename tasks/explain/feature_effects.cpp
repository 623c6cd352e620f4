#include "tasks/explain/feature_effects.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/processing/statistics.h"

namespace millrace::tasks {
namespace {

// The column with its cells in another order.
Column shuffled(const Column& column, const std::vector<std::uint32_t>& order) {
  Column out = empty_like(column);
  for (const std::uint32_t row : order) append_cell(out, column, row);
  return out;
}

Column constant_column(const Column& column, std::size_t row, std::size_t rows) {
  Column out = empty_like(column);
  for (std::size_t i = 0; i < rows; ++i) append_cell(out, column, row);
  return out;
}

// Distinct quantiles, each as the row that has the value nearest to it.
std::vector<std::uint32_t> grid_rows(const Column& column, std::size_t rows, std::size_t grid) {
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < rows; ++i) {
    if (!is_missing(column, i)) order.push_back(static_cast<std::uint32_t>(i));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return column.numbers[a] < column.numbers[b]; });
  std::vector<std::uint32_t> out;
  for (std::size_t g = 0; g < grid && !order.empty(); ++g) {
    const std::uint32_t row = order[g * (order.size() - 1) / std::max<std::size_t>(1, grid - 1)];
    if (out.empty() || column.numbers[out.back()] < column.numbers[row]) out.push_back(row);
  }
  return out;
}

// A row of each of the most frequent categories.
std::vector<std::uint32_t> category_rows(const Column& column, std::size_t rows, std::size_t grid) {
  std::map<std::string, std::pair<std::size_t, std::uint32_t>> counts;
  for (std::size_t i = 0; i < rows; ++i) {
    if (is_missing(column, i)) continue;
    auto& entry = counts[column.texts[i]];
    if (entry.first++ == 0) entry.second = static_cast<std::uint32_t>(i);
  }
  std::vector<std::pair<std::size_t, std::uint32_t>> sorted;
  for (const auto& [text, entry] : counts) sorted.push_back(entry);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::uint32_t> out;
  for (std::size_t g = 0; g < std::min(grid, sorted.size()); ++g) out.push_back(sorted[g].second);
  return out;
}

// Share of rows at each grid point: those of its category, or those nearer to it than to the others.
std::vector<double> shares_of(const Column& column, std::size_t rows, const std::vector<std::uint32_t>& at) {
  std::vector<double> out(at.size());
  for (std::size_t i = 0; i < rows; ++i) {
    if (is_missing(column, i)) continue;
    std::size_t best = at.size();
    double nearest = INFINITY;
    for (std::size_t g = 0; g < at.size(); ++g) {
      if (column.type == Column::Type::Text) {
        if (column.texts[i] == column.texts[at[g]]) best = g;
      } else if (const double gap = std::abs(column.numbers[i] - column.numbers[at[g]]); gap < nearest) {
        nearest = gap, best = g;
      }
    }
    if (best < at.size()) out[best] += 1 / static_cast<double>(rows);
  }
  return out;
}

}  // namespace

Result<std::vector<PermutationImportance>> permutation_importance(
    const Table& rows, const PredictTable& predict, const std::function<double(const Matrix&)>& score,
    std::size_t repeats, Random random, TaskContext& context) {
  MR_TRY(answers, predict(rows));
  const double whole = score(answers);
  std::vector<PermutationImportance> out;
  std::vector<std::uint32_t> order(rows.rows);
  Table changed = rows;
  for (std::size_t c = 0; c < rows.columns.size(); ++c) {
    std::vector<double> lost;
    for (std::size_t r = 0; r < repeats; ++r) {
      if (context.cancelled()) return fail(ErrorCode::Cancelled, "explain was cancelled");
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
      Random own = random.derive(rows.columns[c].name, r);
      shuffle(order, own);
      changed.columns[c] = shuffled(rows.columns[c], order);
      MR_TRY(worse, predict(changed));
      lost.push_back(whole - score(worse));
    }
    changed.columns[c] = rows.columns[c];
    const Moments m = moments(lost);
    out.push_back({rows.columns[c].name, m.mean, std::sqrt(m.variance)});
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.mean > b.mean; });
  return out;
}

Result<PartialDependence> partial_dependence(const Table& rows, std::size_t column,
                                             const PredictTable& predict, std::size_t grid,
                                             TaskContext& context) {
  const Column& source = rows.columns[column];
  PartialDependence out;
  out.feature = source.name;
  out.numeric = source.type == Column::Type::Number;
  const std::vector<std::uint32_t> at =
      out.numeric ? grid_rows(source, rows.rows, grid) : category_rows(source, rows.rows, grid);
  out.shares = shares_of(source, rows.rows, at);
  Table changed = rows;
  for (const std::uint32_t row : at) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "explain was cancelled");
    if (out.numeric)
      out.numbers.push_back(source.numbers[row]);
    else
      out.categories.push_back(source.texts[row]);
    changed.columns[column] = constant_column(source, row, rows.rows);
    MR_TRY(answers, predict(changed));
    out.means.resize(answers.cols);
    for (std::size_t k = 0; k < answers.cols; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < answers.rows; ++i) sum += static_cast<double>(answers.at(i, k));
      out.means[k].push_back(sum / static_cast<double>(answers.rows));
    }
  }
  return out;
}

Json to_json(const PartialDependence& effect) {
  Json values = effect.numeric ? Json(effect.numbers) : Json(effect.categories);
  return {{"feature_name", effect.feature},
          {"data_type", effect.numeric ? "numerical" : "categorical"},
          {"feature_values", std::move(values)},
          {"model_predictions", effect.means},
          {"data_distribution", effect.shares}};
}

}  // namespace millrace::tasks
