#include "tasks/jobs/xgboost_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tasks/evaluation/evaluate.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_chart.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kReportRowsMax = 100'000;  // that are scored; of more every second, third, …
constexpr std::size_t kResidualPoints = 2000;    // in the picture of residuals
constexpr std::size_t kImportances = 20;

// Train and validation of a metric in one picture.
void learning_curves(HtmlReport& page, std::span<const MetricPoint> course) {
  std::map<std::string, Chart> charts;
  for (const MetricPoint& point : course) {
    const std::size_t colon = point.name.find(':');
    const std::string channel = point.name.substr(0, colon), metric = point.name.substr(colon + 1);
    if (colon == std::string::npos || channel == "test") continue;
    Chart& chart = charts[metric];
    chart.title = metric + " by round", chart.x_label = "round", chart.y_label = metric;
    auto series = std::ranges::find(chart.series, channel, &Series::name);
    if (series == chart.series.end()) {
      chart.series.push_back({channel, {}, Series::Style::Line, false});
      series = chart.series.end() - 1;
    }
    series->points.emplace_back(static_cast<double>(point.round), point.value);
  }
  if (charts.empty()) return;
  page.heading("Learning curves");
  for (const auto& [metric, chart] : charts) page.chart(draw_chart(chart));
}

struct ScoredSample {
  std::vector<double> labels;
  Matrix predictions;
};

Result<ScoredSample> score_sample(const Model& model, const Dataset& data) {
  const std::size_t stride = data.X.rows / kReportRowsMax + 1;
  ScoredSample out;
  Matrix rows((data.X.rows + stride - 1) / stride, data.X.cols);
  for (std::size_t i = 0, k = 0; i < data.X.rows; i += stride, ++k) {
    std::copy_n(data.X.values.data() + i * data.X.cols, data.X.cols, rows.values.data() + k * data.X.cols);
    out.labels.push_back(data.y[i]);
  }
  MR_TRY(predictions, model.predict(rows));
  out.predictions = std::move(predictions);
  return out;
}

void residual_charts(HtmlReport& page, const ScoredSample& scored) {
  const std::size_t n = scored.labels.size(), stride = n / kResidualPoints + 1;
  Series points{"", {}, Series::Style::Points, false};
  for (std::size_t i = 0; i < n; i += stride) {
    const auto predicted = static_cast<double>(scored.predictions.at(i, 0));
    points.points.emplace_back(predicted, scored.labels[i] - predicted);
  }
  page.chart(draw_chart({"Residuals", "prediction", "truth - prediction", {std::move(points)}}));
}

Status quality(HtmlReport& page, const XgboostReportInput& input) {
  const Dataset* data = input.validation ? input.validation : input.train;
  if (data == nullptr || data->y.empty()) return {};
  MR_TRY(scored, score_sample(input.model, *data));
  page.heading(input.validation ? "On the validation rows" : "On the training rows");
  if (!input.validation)
    page.paragraph("There is no validation channel: the model has seen these rows, and is worse on others.");
  EvaluationSettings settings;
  settings.task = input.task, settings.samples = 0;
  MR_TRY(evaluation, evaluate(scored.labels, scored.predictions, settings));
  for (const auto& [name, group] : evaluation.report.items()) {
    if (!name.ends_with("_metrics")) continue;
    std::vector<HtmlReport::Row> rows;
    for (const auto& [metric, entry] : group.items())
      if (entry.is_object() && entry.contains("value") && entry["value"].is_number())
        rows.push_back({{metric, short_number(entry["value"].get<double>())}, false});
    page.table({"metric", "value"}, rows);
  }
  for (const auto& [name, svg] : evaluation.plots) page.chart(svg);
  if (input.task == "regression") residual_charts(page, scored);
  return {};
}

void importances(HtmlReport& page, const trees::Ensemble& ensemble) {
  page.heading("Feature importance");
  const std::pair<const char*, const char*> kinds[] = {{"total_gain", "share of the gain of all splits"},
                                                       {"weight", "share of the number of splits"}};
  for (const auto& [kind, words] : kinds) {
    const auto found = trees::feature_importance(ensemble, kind);
    if (!found) continue;
    const double all = std::accumulate(found->begin(), found->end(), 0.0);
    std::vector<std::pair<std::string, double>> bars;
    for (std::size_t j = 0; j < found->size(); ++j) {
      const std::string name =
          j < ensemble.feature_names.size() ? ensemble.feature_names[j] : "f" + std::to_string(j);
      if ((*found)[j] > 0) bars.emplace_back(name, (*found)[j] / all);
    }
    std::ranges::stable_sort(bars, [](const auto& a, const auto& b) { return a.second > b.second; });
    if (bars.size() > kImportances) bars.resize(kImportances);
    if (!bars.empty()) page.chart(draw_bars(std::string("Importance: ") + kind, words, bars));
  }
}

// How many trees have their deepest leaf where.
void tree_shapes(HtmlReport& page, const trees::Ensemble& ensemble) {
  if (ensemble.trees.empty()) return;
  std::map<int, double> depths;
  std::size_t leaves = 0;
  for (const trees::Tree& tree : ensemble.trees) {
    std::vector<int> depth(tree.nodes.size());
    int deepest = 0;
    for (std::size_t k = 0; k < tree.nodes.size(); ++k) {
      const std::int32_t parent = tree.nodes[k].parent;
      if (parent >= 0 && static_cast<std::size_t>(parent) < k)
        depth[k] = depth[static_cast<std::size_t>(parent)] + 1;
      deepest = std::max(deepest, depth[k]);
      leaves += tree.nodes[k].left < 0;
    }
    ++depths[deepest];
  }
  page.heading("Trees");
  page.figures({{"trees", std::to_string(ensemble.trees.size())},
                {"leaves", std::to_string(leaves)},
                {"deepest", std::to_string(depths.rbegin()->first)}});
  Series bars{"", {}, Series::Style::Bars, false};
  for (const auto& [depth, count] : depths) bars.points.emplace_back(depth, count);
  page.chart(draw_chart({"Depth of the trees", "depth", "trees", {std::move(bars)}}));
}

}  // namespace

Result<std::string> xgboost_report(const XgboostReportInput& input) {
  const trees::Ensemble* ensemble = ensemble_of(input.model);
  if (ensemble == nullptr) return invalid("the model is none of xgboost");
  HtmlReport page("XGBoost training report");
  std::int64_t rounds = 0;
  for (const MetricPoint& point : input.course) rounds = std::max(rounds, point.round + 1);
  page.figures({{"job", input.job},
                {"objective", ensemble->objective},
                {"rounds", std::to_string(rounds)},
                {"features", std::to_string(ensemble->features)},
                {"training rows", input.train ? std::to_string(input.train->X.rows) : "a stream"},
                {"validation rows", input.validation ? std::to_string(input.validation->X.rows) : "none"}});
  learning_curves(page, input.course);
  // A ranking has no truth to compare single answers with.
  if (!ensemble->objective.starts_with("rank:")) MR_DO(quality(page, input));
  if (!ensemble->trees.empty()) importances(page, *ensemble);
  tree_shapes(page, *ensemble);
  page.heading("Hyperparameters");
  std::vector<HtmlReport::Row> rows;
  for (const auto& [name, value] : input.parameters) rows.push_back({{name, value}, false});
  page.table({"name", "value"}, rows);
  return page.finish();
}

}  // namespace millrace::tasks
