#include "tasks/forecasting/blend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace millrace::tasks {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kPower = 4;                 // of the inverse error
constexpr std::size_t kShortestHistory = 3;  // that a window of validation has before it
constexpr double kErrorFloor = 1e-6;         // in units of scale
constexpr std::size_t kMissesWanted = 200;   // behind the quantiles of a step
constexpr double kRangeFactor = 2;  // forecasts leave the range seen by at most so many of its widths
// Quantiles of the normal distribution in units of its mean absolute value, for when few misses were seen.
constexpr double kNormalPerMiss = 1.2533141373155001;
constexpr int kPriorSamples = 19;

bool is_none(double x) {
  return std::isnan(x);
}

double mean_absolute(History a, History b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

// Every member on one history, kept near the range seen.
std::vector<Values> all_forecasts(const ForecastTask& task, History v, const LagTrees& trees) {
  const auto [low, high] = std::ranges::minmax(v);
  const double margin = kRangeFactor * (high - low);
  std::vector<Values> out;
  for (std::size_t m = 0; m < blend_members(); ++m) {
    const bool single = m < forecast_methods().size();
    const std::string_view name = single ? forecast_methods()[m].name : kLagTreesMethod;
    const bool used = task.methods.empty() || std::ranges::find(task.methods, name) != task.methods.end();
    Values forecast = !used    ? Values()
                      : single ? forecast_methods()[m].forecast(task, v)
                               : trees.forecast(task, v);
    if (!std::ranges::all_of(forecast, [](double x) { return std::isfinite(x); })) forecast.clear();
    for (double& x : forecast) x = std::clamp(x, low - margin, high + margin);
    out.push_back(std::move(forecast));
  }
  // None that was asked for applies to so short a history.
  if (std::ranges::all_of(out, &Values::empty)) out[0] = forecast_methods()[0].forecast(task, v);
  return out;
}

// Where validation windows begin, the last one first: a horizon, two and three before the end, as far as what
// is before them is long enough; of shorter series they overlap; of very short ones they are shorter.
std::vector<std::size_t> window_origins(std::size_t n, const ForecastTask& task) {
  const std::size_t h = static_cast<std::size_t>(task.horizon);
  const std::size_t s = task.seasons.empty() ? 1 : static_cast<std::size_t>(task.seasons.front());
  std::vector<std::size_t> origins;
  if (n >= h + kShortestHistory) {
    const std::size_t last = n - h;
    const std::size_t least =
        std::min(3 * std::max<std::size_t>(s, 4), std::max(kShortestHistory, last * 2 / 3));
    const std::size_t step = std::clamp<std::size_t>((last - least) / (kForecastWindows - 1), 1, h);
    for (std::size_t back = 0; origins.size() < kForecastWindows && last >= least + back; back += step)
      origins.push_back(last - back);
  } else if (n > kShortestHistory) {
    origins.push_back(std::max(kShortestHistory, n - n / 4));
    if (n / 2 >= kShortestHistory && n - n / 2 < origins.back()) origins.push_back(n - n / 2);
  }
  return origins;
}

double median(std::vector<double> values) {
  if (values.empty()) return kNone;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The inverse of normal_probability by bisection, exact to 1e-9.
double normal_quantile(double level) {
  double low = -10, high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (normal_probability(middle) < level ? low : high) = middle;
  }
  return (low + high) / 2;
}

// The conformal quantile of n sorted samples: place (n + 1) q, on a line between neighbours.
double sample_quantile(const std::vector<double>& sorted, double level) {
  const double n = static_cast<double>(sorted.size());
  const double place = std::clamp(level * (n + 1) - 1, 0.0, n - 1);
  const std::size_t below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

}  // namespace

std::size_t blend_members() {
  return forecast_methods().size() + 1;
}
std::string_view blend_member(std::size_t member) {
  return member < forecast_methods().size() ? forecast_methods()[member].name : "lag-trees";
}

std::optional<std::size_t> first_window(std::size_t length, const ForecastTask& task) {
  const std::vector<std::size_t> origins = window_origins(length, task);
  if (origins.empty()) return std::nullopt;
  return origins.back();
}

SeriesStudy study_series(const ForecastTask& task, History history, const LagTrees& before) {
  SeriesStudy study;
  study.scale = scale_of_history(history, task.seasons.empty() ? 1 : task.seasons.front());
  for (const std::size_t origin : window_origins(history.size(), task)) {
    SeriesStudy::Window window;
    window.origin = origin;
    window.forecasts = all_forecasts(task, history.first(origin), before);
    const std::size_t steps = std::min(history.size() - origin, static_cast<std::size_t>(task.horizon));
    for (Values& forecast : window.forecasts) {
      if (!forecast.empty()) forecast.resize(steps);
      window.errors.push_back(
          forecast.empty() ? kNone : mean_absolute(history.subspan(origin, steps), forecast) / study.scale);
    }
    study.windows.push_back(std::move(window));
  }
  return study;
}

std::vector<double> method_weights(const SeriesStudy& study, const Pooled& pooled, int left_out) {
  const std::size_t methods = blend_members();
  std::vector<double> errors(methods, kNone), known;
  for (std::size_t m = 0; m < methods; ++m) {
    double sum = 0, count = 0;
    for (std::size_t w = 0; w < study.windows.size(); ++w) {
      if (static_cast<int>(w) == left_out || is_none(study.windows[w].errors[m])) continue;
      sum += study.windows[w].errors[m], ++count;
    }
    const double rest = kForecastWindows - count;  // windows that the other series stand in for
    if (m < pooled.errors.size() && !is_none(pooled.errors[m]) && rest > 0)
      sum += rest * pooled.errors[m], count += rest;
    if (count > 0) errors[m] = sum / count;
    if (count > 0) known.push_back(errors[m]);
  }
  const double otherwise = known.empty() ? 1 : median(known);
  double total = 0;
  for (double& e : errors) total += e = std::pow((is_none(e) ? otherwise : e) + kErrorFloor, -kPower);
  for (double& w : errors) w /= total;
  return errors;
}

Values blend_forecasts(std::span<const Values> forecasts, std::span<const double> weights) {
  std::size_t steps = 0;
  double total = 0;
  for (std::size_t m = 0; m < forecasts.size(); ++m) {
    steps = std::max(steps, forecasts[m].size());
    if (!forecasts[m].empty()) total += weights[m];
  }
  Values out(steps);
  std::vector<std::pair<double, double>> sorted;
  for (std::size_t h = 0; h < steps; ++h) {
    sorted.clear();
    for (std::size_t m = 0; m < forecasts.size(); ++m)
      if (!forecasts[m].empty()) sorted.emplace_back(forecasts[m][h], weights[m]);
    std::ranges::sort(sorted);
    double sum = 0;
    for (const auto& [value, weight] : sorted) {
      out[h] = value;
      if ((sum += weight) >= total / 2) break;
    }
  }
  return out;
}

std::vector<WindowResult> validate_blend(const SeriesStudy& study, const Pooled& pooled, History history) {
  std::vector<WindowResult> results;
  for (std::size_t w = 0; w < study.windows.size(); ++w) {
    const SeriesStudy::Window& window = study.windows[w];
    WindowResult result;
    result.origin = window.origin;
    result.forecast = blend_forecasts(window.forecasts, method_weights(study, pooled, static_cast<int>(w)));
    for (std::size_t h = 0; h < result.forecast.size(); ++h)
      result.miss.push_back(history[window.origin + h] - result.forecast[h]);
    results.push_back(std::move(result));
  }
  return results;
}

Pooled pool_errors(std::span<const SeriesStudy> studies) {
  const std::size_t methods = blend_members();
  Pooled pooled;
  pooled.errors.assign(methods, kNone);
  for (std::size_t m = 0; m < methods; ++m) {
    double sum = 0, count = 0;
    for (const SeriesStudy& study : studies)
      for (const SeriesStudy::Window& window : study.windows)
        if (!is_none(window.errors[m])) sum += window.errors[m], ++count;
    if (count > 0) pooled.errors[m] = sum / count;
  }
  return pooled;
}

namespace {

double mean_miss(std::span<const WindowResult> results, double& count) {
  double sum = 0;
  for (const WindowResult& result : results)
    for (const double miss : result.miss) sum += std::abs(miss), ++count;
  return sum;
}

// Over all results but `left_out`; the pooled miss weighs like `prior` steps.
double spread_of(std::span<const WindowResult> results, double scale, double pooled_miss, double prior,
                 std::size_t left_out = std::numeric_limits<std::size_t>::max()) {
  double count = 0, sum = 0;
  for (std::size_t r = 0; r < results.size(); ++r)
    if (r != left_out) sum += mean_miss(results.subspan(r, 1), count);
  return std::max((sum + prior * pooled_miss * scale) / (count + prior), 1e-12 * scale);
}

}  // namespace

double blend_spread(std::span<const WindowResult> results, double scale, const Pooled& pooled) {
  return spread_of(results, scale, pooled.miss, static_cast<double>(pooled.quantiles.size()));
}

double mean_scaled_miss(std::span<const std::vector<WindowResult>> results, std::span<const double> scales) {
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    double steps = 0;
    const double misses = mean_miss(results[i], steps);
    if (steps > 0) sum += misses / steps / scales[i], ++count;
  }
  return count > 0 ? sum / count : 1;
}

void pool_misses(Pooled& pooled, std::span<const std::vector<WindowResult>> results,
                 std::span<const double> scales, int horizon) {
  pooled.miss = mean_scaled_miss(results, scales);
  const std::size_t steps = static_cast<std::size_t>(horizon);
  std::vector<std::vector<double>> by_step(steps);
  double products = 0, squares = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (std::size_t r = 0; r < results[i].size(); ++r) {
      const WindowResult& result = results[i][r];
      const double spread = spread_of(results[i], scales[i], pooled.miss, static_cast<double>(horizon), r);
      for (std::size_t h = 0; h < result.miss.size(); ++h) {
        const double miss = result.miss[h] / spread;
        by_step[h].push_back(miss);
        squares += miss * miss;
        if (h > 0) products += miss * result.miss[h - 1] / spread;
      }
    }
  }
  pooled.correlation = squares > 0 ? std::clamp(products / squares, 0.0, 0.99) : 0;
  pooled.quantiles.clear();
  for (std::size_t h = 0; h < steps; ++h) {
    // As many neighbouring steps as it takes.
    std::vector<double> sample;
    for (std::size_t reach = 0; reach < steps; ++reach) {
      if (reach == 0) sample = by_step[h];
      if (sample.size() >= kMissesWanted) break;
      if (reach > 0 && h >= reach)
        sample.insert(sample.end(), by_step[h - reach].begin(), by_step[h - reach].end());
      if (reach > 0 && h + reach < steps)
        sample.insert(sample.end(), by_step[h + reach].begin(), by_step[h + reach].end());
    }
    if (sample.size() < kMissesWanted)
      for (int i = 1; i <= kPriorSamples; ++i)
        sample.push_back(kNormalPerMiss * normal_quantile(i / (kPriorSamples + 1.0)));
    std::ranges::sort(sample);
    std::vector<double> levels;
    for (int q = 1; q <= kQuantileLevels; ++q) levels.push_back(sample_quantile(sample, q / 100.0));
    pooled.quantiles.push_back(std::move(levels));
  }
}

double BlendedForecast::at(const Pooled& pooled, std::size_t step, double level) const {
  const double place = std::clamp(level * 100 - 1, 0.0, kQuantileLevels - 1.0);
  const std::size_t below = static_cast<std::size_t>(place);
  const std::size_t above = std::min<std::size_t>(below + 1, kQuantileLevels - 1);
  const std::vector<double>& levels = pooled.quantiles[step];
  const double part = place - static_cast<double>(below);
  const double value = mean[step] + spread * (levels[below] + part * (levels[above] - levels[below]));
  return not_negative ? std::max(value, 0.0) : value;
}

Values BlendedForecast::quantile(const Pooled& pooled, double level) const {
  Values out(mean.size());
  for (std::size_t h = 0; h < out.size(); ++h) out[h] = at(pooled, h, level);
  return out;
}

double normal_probability(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

BlendedForecast forecast_series(const ForecastTask& task, History history, const Pooled& pooled,
                                const GlobalModel& global) {
  const SeriesStudy study = study_series(task, history, global.before);
  BlendedForecast out;
  out.mean = blend_forecasts(all_forecasts(task, history, global.after), method_weights(study, pooled));
  out.spread = blend_spread(validate_blend(study, pooled, history), study.scale, pooled);
  out.not_negative = std::ranges::all_of(history, [](double x) { return x >= 0; });
  if (out.not_negative)
    for (double& x : out.mean) x = std::max(x, 0.0);
  return out;
}

}  // namespace millrace::tasks
