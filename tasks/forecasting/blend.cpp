#include "tasks/forecasting/blend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace millrace::tasks {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kPower = 4;                // of the inverse error
constexpr double kErrorFloor = 1e-6;        // in units of scale
constexpr std::size_t kMissesWanted = 200;  // behind the quantiles of a step
constexpr double kPriorMisses = 8;          // weight of the pooled miss against a series' own steps
constexpr double kRangeFactor = 2;          // forecasts leave the range seen by at most so many of its widths
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

double scale_of_history(History v, int season) {
  std::size_t s = static_cast<std::size_t>(season);
  if (v.size() <= s) s = 1;
  double scale = v.size() > s ? mean_absolute(v.subspan(s), v.first(v.size() - s)) : 0;
  if (!(scale > 0) && v.size() > 1) scale = mean_absolute(v.subspan(1), v.first(v.size() - 1));
  if (!(scale > 0)) {
    for (const double x : v) scale = std::max(scale, std::abs(x));
    scale *= 1e-3;
  }
  return scale > 0 && std::isfinite(scale) ? scale : 1;
}

// Every method on one history, kept near the range seen.
std::vector<Values> all_forecasts(const ForecastTask& task, History v) {
  const auto [low, high] = std::ranges::minmax(v);
  const double margin = kRangeFactor * (high - low);
  std::vector<Values> out;
  for (const ForecastMethod& method : forecast_methods()) {
    const bool used =
        task.methods.empty() || std::ranges::find(task.methods, method.name) != task.methods.end();
    Values forecast = used ? method.forecast(task, v) : Values();
    if (!std::ranges::all_of(forecast, [](double x) { return std::isfinite(x); })) forecast.clear();
    for (double& x : forecast) x = std::clamp(x, low - margin, high + margin);
    out.push_back(std::move(forecast));
  }
  // None that was asked for applies to so short a history.
  if (std::ranges::all_of(out, &Values::empty)) out[0] = forecast_methods()[0].forecast(task, v);
  return out;
}

// Where validation windows begin: a horizon, two and three before the end, as far as what is before them is
// long enough; of a short series one shorter window.
std::vector<std::size_t> window_origins(std::size_t n, const ForecastTask& task) {
  const std::size_t h = static_cast<std::size_t>(task.horizon);
  const std::size_t s = task.seasons.empty() ? 1 : static_cast<std::size_t>(task.seasons.front());
  std::vector<std::size_t> origins;
  for (std::size_t back = h; origins.size() < kForecastWindows && n >= back + 3 * std::max<std::size_t>(s, 4);
       back += h)
    origins.push_back(n - back);
  if (origins.empty() && n >= h + 3)
    origins.push_back(n - h);
  else if (origins.empty() && n >= 4)
    origins.push_back(n - n / 2);
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

SeriesStudy study_series(const ForecastTask& task, History history) {
  SeriesStudy study;
  study.scale = scale_of_history(history, task.seasons.empty() ? 1 : task.seasons.front());
  for (const std::size_t origin : window_origins(history.size(), task)) {
    SeriesStudy::Window window;
    window.origin = origin;
    window.forecasts = all_forecasts(task, history.first(origin));
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
  const std::size_t methods = forecast_methods().size();
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
  const std::size_t methods = forecast_methods().size();
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

double spread_of(std::span<const WindowResult> results, double scale, double pooled_miss) {
  double count = 0;
  const double sum = mean_miss(results, count);
  return std::max((sum + kPriorMisses * pooled_miss * scale) / (count + kPriorMisses), 1e-12 * scale);
}

}  // namespace

double blend_spread(std::span<const WindowResult> results, double scale, const Pooled& pooled) {
  return spread_of(results, scale, pooled.miss);
}

void pool_misses(Pooled& pooled, std::span<const std::vector<WindowResult>> results,
                 std::span<const double> scales, int horizon) {
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    double steps = 0;
    const double misses = mean_miss(results[i], steps);
    if (steps > 0) sum += misses / steps / scales[i], ++count;
  }
  pooled.miss = count > 0 ? sum / count : 1;

  const std::size_t steps = static_cast<std::size_t>(horizon);
  std::vector<std::vector<double>> by_step(steps);
  double products = 0, squares = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const double spread = spread_of(results[i], scales[i], pooled.miss);
    for (const WindowResult& result : results[i]) {
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

BlendedForecast forecast_series(const ForecastTask& task, History history, const Pooled& pooled) {
  const SeriesStudy study = study_series(task, history);
  BlendedForecast out;
  out.mean = blend_forecasts(all_forecasts(task, history), method_weights(study, pooled));
  out.spread = spread_of(validate_blend(study, pooled, history), study.scale, pooled.miss);
  out.not_negative = std::ranges::all_of(history, [](double x) { return x >= 0; });
  if (out.not_negative)
    for (double& x : out.mean) x = std::max(x, 0.0);
  return out;
}

}  // namespace millrace::tasks
