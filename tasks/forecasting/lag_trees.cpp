#include "tasks/forecasting/lag_trees.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.h"
#include "tasks/forecasting/lag_rows.h"
#include "tasks/trees/boost.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kLagTargetsMin = 400;  // values to learn from, of all series
constexpr std::size_t kLagRowsMax = 20'000;  // drawn from them
constexpr std::size_t kLagRowsOfTarget = 4;  // steps ahead that one value stands for, at most
constexpr std::size_t kLagRounds = 60;
constexpr double kLagTargetLimit = 15;  // in units of scale: what is farther counts as so far
constexpr double kLagRidge = 1e-3;      // of the mean square of a column

// Rows, what the linear model sees of them, and targets.
struct LagTable {
  Matrix rows;
  Eigen::MatrixXd linear;
  std::vector<float> targets;
};

std::size_t targets_of(const LagSeries& series) {
  const std::size_t least = LagRows::least_history(series.task);
  return series.values.size() > least ? series.values.size() - least : 0;
}

// Values by turns, so that each series has its share; the step ahead is drawn.
LagTable draw_lag_rows(std::span<const LagSeries> series, std::size_t targets, std::uint64_t seed) {
  const ForecastTask& like = series.front().task;
  const std::size_t horizon = static_cast<std::size_t>(like.horizon);
  const std::size_t count = std::min(kLagRowsMax, targets * std::min(horizon, kLagRowsOfTarget));
  LagTable table;
  table.rows = Matrix(count, LagRows::width(like));
  table.linear.resize(static_cast<Eigen::Index>(LagRows::linear_width(like)),
                      static_cast<Eigen::Index>(count));
  table.targets.reserve(count);
  Random random(seed);
  std::size_t row = 0, first = 0;
  for (const LagSeries& one : series) {
    const std::size_t own = targets_of(one), least = LagRows::least_history(one.task);
    if (own == 0) continue;
    const int season = one.task.seasons.empty() ? 1 : one.task.seasons.front();
    const LagRows rows(one.task, one.values, scale_of_history(one.values, season));
    for (; row < count; ++row) {
      const std::size_t target = row * targets / count;
      if (target >= first + own) break;
      const std::size_t at = least + target - first;
      const std::size_t step = 1 + random.below(std::min(horizon, at - least + 1)), origin = at + 1 - step;
      float* out = &table.rows.values[row * table.rows.cols];
      rows.fill(origin, step, out);
      rows.fill_linear(out, step, table.linear.col(static_cast<Eigen::Index>(row)).data());
      const double relative = (one.values[at] - rows.centre(origin)) / rows.scale();
      table.targets.push_back(static_cast<float>(std::clamp(relative, -kLagTargetLimit, kLagTargetLimit)));
    }
    first += own;
  }
  return table;
}

std::vector<double> ridge_of(const LagTable& table) {
  const Eigen::Index width = table.linear.rows();
  Eigen::VectorXd y(table.linear.cols());
  for (Eigen::Index i = 0; i < y.size(); ++i) y[i] = table.targets[static_cast<std::size_t>(i)];
  Eigen::MatrixXd gram = table.linear * table.linear.transpose();
  for (Eigen::Index j = 0; j < width; ++j) gram(j, j) += kLagRidge * gram(j, j) + 1e-9;
  const Eigen::VectorXd c = gram.ldlt().solve(table.linear * y);
  return {c.data(), c.data() + width};
}

trees::BoostSettings boost_settings(std::uint64_t seed) {
  trees::BoostSettings settings;
  settings.objective = "reg:absoluteerror";
  settings.median_base = true;
  settings.grow.learning_rate = 0.1;
  settings.grow.max_depth = 5;
  settings.grow.min_child_weight = 20;
  settings.max_bin = 64;
  settings.seed = seed;
  return settings;
}

}  // namespace

double scale_of_history(History v, int season) {
  const auto difference = [v](std::size_t lag) {
    double sum = 0;
    for (std::size_t i = lag; i < v.size(); ++i) sum += std::abs(v[i] - v[i - lag]);
    return sum / static_cast<double>(v.size() - lag);
  };
  std::size_t s = static_cast<std::size_t>(season);
  if (v.size() <= s) s = 1;
  double scale = v.size() > s ? difference(s) : 0;
  if (!(scale > 0) && v.size() > 1) scale = difference(1);
  if (!(scale > 0)) {
    for (const double x : v) scale = std::max(scale, std::abs(x));
    scale *= 1e-3;
  }
  return scale > 0 && std::isfinite(scale) ? scale : 1;
}

Result<LagTrees> LagTrees::fit(std::span<const LagSeries> series, std::uint64_t seed, trees::Team& team,
                               const std::function<bool()>& cancelled) {
  LagTrees out;
  std::size_t targets = 0;
  for (const LagSeries& one : series) targets += targets_of(one);
  if (targets < kLagTargetsMin) return out;
  LagTable table = draw_lag_rows(series, targets, seed);
  if (!std::ranges::all_of(table.rows.values, [](float x) { return !std::isinf(x); })) return out;
  std::vector<double> linear = ridge_of(table);
  if (!std::ranges::all_of(linear, [](double x) { return std::isfinite(x); })) return out;
  const Eigen::Map<const Eigen::VectorXd> c(linear.data(), static_cast<Eigen::Index>(linear.size()));
  for (std::size_t i = 0; i < table.targets.size(); ++i)
    table.targets[i] -= static_cast<float>(table.linear.col(static_cast<Eigen::Index>(i)).dot(c));
  MR_TRY(booster, trees::Booster::make(boost_settings(seed), {table.rows, table.targets, {}}, nullptr,
                                       nullptr, {}, team));
  for (std::size_t round = 0; round < kLagRounds; ++round) MR_DO(booster->round(cancelled));
  out.linear_ = std::move(linear);
  out.ensemble_ = booster->take(kLagRounds);
  out.predictor_ = trees::Predictor(out.ensemble_);
  return out;
}

Values LagTrees::forecast(const ForecastTask& task, History history) const {
  if (empty() || history.size() < LagRows::least_history(task)) return {};
  const int season = task.seasons.empty() ? 1 : task.seasons.front();
  const LagRows source(task, history, scale_of_history(history, season));
  const std::size_t horizon = static_cast<std::size_t>(task.horizon), width = LagRows::width(task);
  Matrix rows(horizon, width);
  std::vector<double> linear(LagRows::linear_width(task));
  Values out(horizon);
  for (std::size_t h = 0; h < horizon; ++h) {
    float* row = &rows.values[h * width];
    source.fill(history.size(), h + 1, row);
    if (std::any_of(row, row + width, [](float x) { return std::isinf(x); })) return {};
    source.fill_linear(row, h + 1, linear.data());
    for (std::size_t j = 0; j < linear.size(); ++j) out[h] += linear_[j] * linear[j];
  }
  std::vector<float> scores(horizon, static_cast<float>(ensemble_.base_score));
  predictor_.add(rows, scores.data(), 1, 1);
  for (std::size_t h = 0; h < horizon; ++h)
    out[h] = source.centre(history.size()) + source.scale() * (out[h] + static_cast<double>(scores[h]));
  return out;
}

void LagTrees::save(ModelWriter& writer) const {
  writer.put(std::span<const double>(linear_));
  if (empty()) return;
  writer.put(ensemble_.base_score).put(std::uint64_t{ensemble_.trees.size()});
  for (const trees::Tree& tree : ensemble_.trees) {
    std::vector<std::uint32_t> links;  // left, right, feature and where missing goes; left 0: a leaf
    std::vector<float> conditions;
    for (const trees::Node& node : tree.nodes) {
      const bool leaf = node.left < 0;
      links.insert(links.end(), {leaf ? 0 : static_cast<std::uint32_t>(node.left),
                                 leaf ? 0 : static_cast<std::uint32_t>(node.right),
                                 node.feature * 2 + (node.missing_left ? 1 : 0)});
      conditions.push_back(node.condition);
    }
    writer.put(std::span<const std::uint32_t>(links)).put(std::span<const float>(conditions));
  }
}

LagTrees LagTrees::load(ModelReader& reader, const ForecastTask& task, bool& good) {
  LagTrees out;
  out.linear_ = reader.reals();
  if (out.empty()) return out;
  const std::size_t width = LagRows::width(task);
  good = good && out.linear_.size() == LagRows::linear_width(task);
  out.ensemble_.features = width;
  out.ensemble_.base_score = reader.real();
  const std::uint64_t count = reader.u64();
  good = good && count <= kLagRounds;
  for (std::uint64_t k = 0; good && k < count; ++k) {
    const std::vector<std::uint32_t> links = reader.u32s();
    const std::vector<float> conditions = reader.floats();
    trees::Tree tree;
    good = good && !conditions.empty() && links.size() == 3 * conditions.size();
    std::vector<char> has_parent(conditions.size(), 0);
    for (std::size_t i = 0; good && i < conditions.size(); ++i) {
      trees::Node node;
      node.feature = links[3 * i + 2] / 2, node.missing_left = links[3 * i + 2] % 2 == 1;
      node.condition = conditions[i];
      good = std::isfinite(node.condition) && node.feature < width;
      if (links[3 * i] != 0) {  // children stand behind their one parent, so no walk goes in a circle
        for (const std::uint32_t child : {links[3 * i], links[3 * i + 1]})
          good = good && child > i && child < conditions.size() && !std::exchange(has_parent[child], 1);
        node.left = static_cast<std::int32_t>(links[3 * i]);
        node.right = static_cast<std::int32_t>(links[3 * i + 1]);
      }
      tree.nodes.push_back(node);
    }
    out.ensemble_.trees.push_back(std::move(tree)), out.ensemble_.tree_output.push_back(0);
  }
  if (good) out.predictor_ = trees::Predictor(out.ensemble_);
  return out;
}

}  // namespace millrace::tasks
