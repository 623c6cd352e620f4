#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tasks/forecasting/methods.h"

namespace millrace::tasks {
namespace {

constexpr double kRidge = 1;          // on values of deviation 1
constexpr int kMultiplesMax = 7;      // of the short season
constexpr double kRangeMargin = 0.5;  // in deviations, beyond the range seen
constexpr int kHalfLifeMin = 100;     // rows behind which one weighs half

struct Scale {
  double mean = 0, deviation = 1;
};

// Around the recent mean; the deviation is that of the whole.
Scale regression_scale(History w, const std::vector<int>& seasons) {
  const std::size_t longest = static_cast<std::size_t>(std::max(12, seasons.empty() ? 1 : seasons.back()));
  const History tail = w.last(std::min(w.size(), 2 * longest));
  Scale scale;
  scale.mean = std::accumulate(tail.begin(), tail.end(), 0.0) / static_cast<double>(tail.size());
  const double whole = std::accumulate(w.begin(), w.end(), 0.0) / static_cast<double>(w.size());
  double squares = 0;
  for (const double x : w) squares += (x - whole) * (x - whole);
  scale.deviation = std::sqrt(squares / static_cast<double>(w.size()));
  if (!(scale.deviation > 0)) scale.deviation = 1;
  return scale;
}

// Features as the regression takes them: mean 0 and deviation 1 over the history.
std::vector<Values> scaled_features(const ForecastTask& task, std::size_t n) {
  std::vector<Values> out;
  for (const Values& feature : task.features) {
    const History past = History(feature).first(n);
    Scale scale = regression_scale(past, {});
    scale.mean = std::accumulate(past.begin(), past.end(), 0.0) / static_cast<double>(n);
    Values scaled(n + static_cast<std::size_t>(task.horizon));
    for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] = (feature[i] - scale.mean) / scale.deviation;
    out.push_back(std::move(scaled));
  }
  return out;
}

// Forecasts of w, which is scaled, in place behind it.
void regress(const ForecastTask& task, const std::vector<int>& lags, Values& w) {
  const std::size_t n = w.size(), first = static_cast<std::size_t>(lags.back()), rows = n - first;
  const std::vector<Values> features = scaled_features(task, n);
  const std::size_t lag_count = lags.size(), d = lag_count + features.size() + 1;
  const auto index = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  const int s = task.seasons.empty() ? 1 : task.seasons.front(),
            longest = task.seasons.empty() ? 1 : task.seasons.back();
  const double half_life = std::max({kHalfLifeMin, 8 * s, 2 * longest});
  Eigen::MatrixXd X(index(rows), index(d));
  Eigen::VectorXd y(index(rows)), root(index(rows));
  for (std::size_t i = 0; i < rows; ++i)
    root[index(i)] = std::sqrt(std::pow(0.5, static_cast<double>(rows - i) / half_life));
  for (std::size_t i = 0; i < rows; ++i) y[index(i)] = w[first + i] * root[index(i)];
  for (std::size_t j = 0; j < lag_count; ++j)
    for (std::size_t i = 0; i < rows; ++i)
      X(index(i), index(j)) = w[first + i - static_cast<std::size_t>(lags[j])] * root[index(i)];
  for (std::size_t j = 0; j < features.size(); ++j)
    for (std::size_t i = 0; i < rows; ++i)
      X(index(i), index(lag_count + j)) = features[j][first + i] * root[index(i)];
  X.col(index(d - 1)) = root;
  Eigen::MatrixXd gram = X.transpose() * X;
  gram.diagonal().array() += kRidge;
  const Eigen::VectorXd c = gram.ldlt().solve(X.transpose() * y);

  const auto [low, high] = std::ranges::minmax(w);
  const double floor = low - kRangeMargin, ceiling = high + kRangeMargin;
  w.resize(n + static_cast<std::size_t>(task.horizon));
  for (std::size_t t = n; t < w.size(); ++t) {
    double sum = c[index(d - 1)];
    for (std::size_t j = 0; j < lag_count; ++j) sum += c[index(j)] * w[t - static_cast<std::size_t>(lags[j])];
    for (std::size_t j = 0; j < features.size(); ++j) sum += c[index(lag_count + j)] * features[j][t];
    w[t] = std::clamp(sum, floor, ceiling);
  }
}

Values autoregress(const ForecastTask& task, Values w) {
  const std::size_t n = w.size();
  std::vector<int> lags = autoregression_lags(task.seasons);
  std::erase_if(lags, [&](int lag) { return static_cast<std::size_t>(lag) * 2 >= n; });
  if (lags.empty()) return {};
  const Scale scale = regression_scale(w, task.seasons);
  for (double& x : w) x = (x - scale.mean) / scale.deviation;
  regress(task, lags, w);
  w.erase(w.begin(), w.begin() + static_cast<std::ptrdiff_t>(n));
  for (double& x : w) x = x * scale.deviation + scale.mean;
  return w;
}

}  // namespace

std::vector<int> autoregression_lags(const std::vector<int>& seasons) {
  std::set<int> lags = {1, 2, 3};
  if (seasons.empty()) lags.insert({4, 5, 6});
  if (!seasons.empty()) {
    const int s = seasons.front(), longest = seasons.back();
    for (int lag = 1; s <= 12 && lag <= s + 1; ++lag) lags.insert(lag);
    lags.insert({s, s + 1, 2 * s, 3 * s});
    if (seasons.size() > 1) {
      for (int m = 1; m <= kMultiplesMax && m * s <= longest; ++m) lags.insert(m * s);
      lags.insert({longest - 1, longest, longest + 1, 2 * longest});
    }
  }
  return {lags.begin(), lags.end()};
}

Values forecast_autoregression(const ForecastTask& task, History history) {
  return autoregress(task, Values(history.begin(), history.end()));
}

Values forecast_log_autoregression(const ForecastTask& task, History history) {
  Values logs(history.begin(), history.end());
  for (double& x : logs) {
    if (x <= 0) return {};
    x = std::log(x);
  }
  Values out = autoregress(task, std::move(logs));
  for (double& x : out) x = std::exp(x);
  return out;
}

}  // namespace millrace::tasks
