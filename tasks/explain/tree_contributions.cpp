#include "tasks/explain/tree_contributions.h"

#include <algorithm>
#include <map>

#include "tasks/processing/channels.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"
#include "tasks/trees/objective.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kExplainedAtOnce = 4096;

double margin_of(const trees::Ensemble& ensemble) {
  return trees::make_objective(ensemble.objective, {})->base_margin(ensemble.base_score);
}

// Feature to its place among the names.
std::vector<std::size_t> places_of(const std::vector<std::string>& columns, std::vector<std::string>& names) {
  std::map<std::string, std::size_t> found;
  std::vector<std::size_t> out;
  for (const std::string& column : columns) {
    const auto [at, added] = found.emplace(column, names.size());
    if (added) names.push_back(column);
    out.push_back(at->second);
  }
  return out;
}

}  // namespace

bool has_trees(const RowScorer& scorer) {
  const trees::Ensemble* ensemble = ensemble_of(scorer.model());
  return ensemble != nullptr && ensemble->booster != trees::Ensemble::Booster::Linear;
}

std::vector<std::string> column_of_features(const std::vector<std::string>& features,
                                            const std::vector<std::string>& columns) {
  std::vector<std::string> out;
  for (const std::string& feature : features) {
    std::string best;
    for (const std::string& column : columns) {
      const bool exact = feature == column;
      const bool derived = feature.size() > column.size() && feature.starts_with(column) &&
                           std::string_view("=#_:").find(feature[column.size()]) != std::string_view::npos;
      if ((exact || derived) && column.size() > best.size()) best = column;
    }
    out.push_back(best.empty() ? feature : best);
  }
  return out;
}

TreeContributions tree_contributions(const RowScorer& scorer) {
  const trees::Ensemble& ensemble = *ensemble_of(scorer.model());
  TreeContributions out;
  places_of(column_of_features(scorer.features(), scorer.columns()), out.names);
  const trees::Explainer explainer(ensemble, margin_of(ensemble));
  const Matrix nothing(1, scorer.features().size());
  trees::Team alone(1);
  const std::size_t width = explainer.features() + 1;
  std::vector<float> values(explainer.outputs() * width);
  explainer.contributions(nothing, alone, values.data());
  for (std::size_t k = 0; k < explainer.outputs(); ++k) out.expected.push_back(values[k * width + width - 1]);
  return out;
}

Status collect_tree_contributions(const RowScorer& scorer, const Table& rows,
                                  const std::vector<std::uint32_t>& numbers, TaskContext& context,
                                  ShapCollector& out) {
  const trees::Ensemble& ensemble = *ensemble_of(scorer.model());
  const trees::Explainer explainer(ensemble, margin_of(ensemble));
  std::vector<std::string> names;
  const std::vector<std::size_t> places =
      places_of(column_of_features(scorer.features(), scorer.columns()), names);
  MR_TRY(X, scorer.matrix(select_rows(rows, numbers)));
  trees::Team team(context.threads());
  const std::size_t outputs = explainer.outputs(), width = explainer.features() + 1;
  std::vector<float> values;
  for (std::size_t first = 0; first < X.rows; first += kExplainedAtOnce) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "explain was cancelled");
    const std::size_t count = std::min(kExplainedAtOnce, X.rows - first);
    values.assign(count * outputs * width, 0);
    explainer.contributions(MatrixView(X).slice(first, count), team, values.data());
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<double> sums(outputs * names.size());
      for (std::size_t k = 0; k < outputs; ++k) {
        for (std::size_t f = 0; f + 1 < width; ++f)
          sums[k * names.size() + places[f]] += static_cast<double>(values[(i * outputs + k) * width + f]);
      }
      out.add(numbers[first + i], sums);
    }
    report(context, "Explaining", -1, static_cast<std::int64_t>(first + count));
  }
  return {};
}

}  // namespace millrace::tasks
