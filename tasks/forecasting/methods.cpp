#include "tasks/forecasting/methods.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace millrace::tasks {
namespace {

constexpr int kCyclesOfSeason = 3;  // a season is measured from this many cycles on
constexpr double kDamping = 0.9, kSeasonalDamping = 0.95;

// Grids are tried side by side, so that the compiler computes several parameters at once.
constexpr std::size_t kGridLanes = 8;
using GridLanes = std::array<double, kGridLanes>;
constexpr GridLanes kLevelGrid = {0.02, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0};
constexpr GridLanes kTrendLevelGrid = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0};
constexpr std::array<double, 5> kTrendGrid = {0.01, 0.05, 0.1, 0.2, 0.4};

int short_season(const ForecastTask& task) {
  return task.seasons.empty() ? 1 : task.seasons.front();
}
int long_season(const ForecastTask& task) {
  return task.seasons.empty() ? 1 : task.seasons.back();
}

bool positive(History v) {
  return std::ranges::all_of(v, [](double x) { return x > 0; });
}

double mean_of(History v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

Values repeated(double value, int horizon) {
  return Values(static_cast<std::size_t>(horizon), value);
}

Values seasonal_naive(History v, int season, int horizon) {
  const std::size_t s = static_cast<std::size_t>(season);
  if (v.size() < s) return {};
  Values out(static_cast<std::size_t>(horizon));
  for (std::size_t h = 0; h < out.size(); ++h) out[h] = v[v.size() - s + h % s];
  return out;
}

// Effects of the places in a season, around 0 or (of a product) around 1: means over whole cycles, the last
// one ending with the history, of values against their cycle's mean.
class Season {
 public:
  Season(History v, int length, bool product)
      : s_(static_cast<std::size_t>(length)), first_(v.size() % s_), product_(product), effect_(s_, 0.0) {
    const std::size_t cycles = v.size() / s_;
    for (std::size_t c = 0; c < cycles; ++c) {
      const History cycle = v.subspan(first_ + c * s_, s_);
      const double mean = mean_of(cycle);
      for (std::size_t j = 0; j < s_; ++j) effect_[j] += product_ ? cycle[j] / mean : cycle[j] - mean;
    }
    for (double& e : effect_) e /= static_cast<double>(cycles);
  }
  double at(std::size_t i) const { return effect_[(i + s_ - first_) % s_]; }
  Values removed_from(History v) const {
    Values out(v.begin(), v.end());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = product_ ? out[i] / at(i) : out[i] - at(i);
    return out;
  }
  // Forecasts that follow a history of n values.
  void restore(Values& forecast, std::size_t n) const {
    for (std::size_t h = 0; h < forecast.size(); ++h)
      forecast[h] = product_ ? forecast[h] * at(n + h) : forecast[h] + at(n + h);
  }

 private:
  std::size_t s_, first_;
  bool product_;
  Values effect_;
};

bool has_cycles(History v, int season) {
  return season > 1 && v.size() >= static_cast<std::size_t>(kCyclesOfSeason * season);
}

// Exponential smoothing of the level: the grid's best by squared one-step errors.
struct SmoothLevel {
  double level = 0, alpha = 1;
};
SmoothLevel smooth_level(History v) {
  GridLanes level, sum{};
  level.fill(v[0]);
  for (std::size_t i = 1; i < v.size(); ++i) {
    const double x = v[i];
    for (std::size_t k = 0; k < kGridLanes; ++k) {
      const double error = x - level[k];
      sum[k] += error * error;
      level[k] += kLevelGrid[k] * error;
    }
  }
  const auto best = static_cast<std::size_t>(std::ranges::min_element(sum) - sum.begin());
  return {level[best], kLevelGrid[best]};
}

// Holt's trend, damped by phi (1: not).
Values holt(History v, int horizon, double phi) {
  const std::size_t n = v.size();
  if (n < 4) return {};
  const std::size_t first = std::min<std::size_t>(n - 1, 4);
  const double slope = (v[first] - v[0]) / static_cast<double>(first);
  double best = std::numeric_limits<double>::infinity(), best_level = v[n - 1], best_trend = 0;
  for (const double beta : kTrendGrid) {
    GridLanes level, trend, sum{};
    level.fill(v[0]), trend.fill(slope);
    for (std::size_t i = 1; i < n; ++i) {
      const double x = v[i];
      for (std::size_t k = 0; k < kGridLanes; ++k) {
        const double ahead = level[k] + phi * trend[k], error = x - ahead;
        sum[k] += error * error;
        level[k] = ahead + kTrendLevelGrid[k] * error;
        trend[k] = phi * trend[k] + kTrendLevelGrid[k] * beta * error;
      }
    }
    for (std::size_t k = 0; k < kGridLanes; ++k)
      if (sum[k] < best) best = sum[k], best_level = level[k], best_trend = trend[k];
  }
  Values out(static_cast<std::size_t>(horizon));
  for (double& f : out) f = best_level += best_trend *= phi;
  return out;
}

// Without its season when there is one, else as it is.
template <class F>
Values deseasonalised(const ForecastTask& task, History v, F forecast) {
  if (!has_cycles(v, short_season(task))) return forecast(v);
  const Season season(v, short_season(task), false);
  Values out = forecast(season.removed_from(v));
  season.restore(out, v.size());
  return out;
}

// Theta: half the slope of the line through the history, and the smoothed level.
Values theta_line(History v, int horizon) {
  const std::size_t n = v.size();
  if (n < 3) return {};
  const double middle = static_cast<double>(n - 1) / 2, mean = mean_of(v);
  double above = 0, below = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) - middle;
    above += t * (v[i] - mean), below += t * t;
  }
  const double slope = above / below;
  const SmoothLevel smooth = smooth_level(v);
  const double rest = (1 - std::pow(1 - smooth.alpha, static_cast<double>(n))) / smooth.alpha;
  Values out(static_cast<std::size_t>(horizon));
  for (std::size_t h = 0; h < out.size(); ++h)
    out[h] = smooth.level + slope / 2 * (static_cast<double>(h) + rest);
  return out;
}

Values seasonal_theta(const ForecastTask& task, History v, int season, bool product) {
  const Season effects(v, season, product);
  Values out = theta_line(effects.removed_from(v), task.horizon);
  effects.restore(out, v.size());
  return out;
}

// Holt-Winters with a damped trend. State of every lane: level, trend, and its own season.
class HoltWinters {
 public:
  HoltWinters(History v, int season, bool product)
      : v_(v), s_(static_cast<std::size_t>(season)), product_(product), start_(s_, 0.0) {
    const std::size_t cycles = std::min<std::size_t>(v.size() / s_, kCyclesOfSeason);
    for (std::size_t c = 0; c < cycles; ++c) {
      const History cycle = v.subspan(c * s_, s_);
      const double mean = mean_of(cycle);
      for (std::size_t j = 0; j < s_; ++j)
        start_[j] += (product ? cycle[j] / mean : cycle[j] - mean) / static_cast<double>(cycles);
    }
    for (const double beta : {0.01, 0.1})
      for (const std::array<double, 2> gammas : {std::array{0.01, 0.05}, std::array{0.2, 0.5}})
        product_ ? run<true>(beta, gammas) : run<false>(beta, gammas);
  }

  Values forecast(int horizon) const {
    if (!std::isfinite(error_)) return {};
    Values out(static_cast<std::size_t>(horizon));
    double level = level_, trend = trend_;
    for (std::size_t h = 0; h < out.size(); ++h) {
      level += trend *= kSeasonalDamping;
      const double effect = season_[(v_.size() + h) % s_];
      out[h] = product_ ? level * effect : level + effect;
    }
    return out;
  }

 private:
  // Four levels' smoothing times two of the season's.
  template <bool product>
  void run(double beta, std::array<double, 2> gammas) {
    constexpr std::array<double, 4> alphas = {0.05, 0.2, 0.5, 0.9};
    GridLanes alpha, slope, gamma, level, trend{}, sum{};
    for (std::size_t k = 0; k < kGridLanes; ++k) {
      alpha[k] = alphas[k % 4], slope[k] = alpha[k] * beta;
      gamma[k] = gammas[k / 4] * (1 - alpha[k]);
    }
    level.fill(mean_of(v_.first(s_)));
    std::vector<GridLanes> season(s_);
    for (std::size_t j = 0; j < s_; ++j) season[j].fill(start_[j]);
    for (std::size_t i = 0, j = 0; i < v_.size(); ++i, j = j + 1 == s_ ? 0 : j + 1) {
      const double x = v_[i], counts = i >= s_ ? 1 : 0;
      GridLanes& effect = season[j];
      for (std::size_t k = 0; k < kGridLanes; ++k) {
        const double ahead = level[k] + kSeasonalDamping * trend[k];
        const double error = product ? x - ahead * effect[k] : x - (ahead + effect[k]);
        const double change = product ? error / effect[k] : error;
        sum[k] += counts * error * error;
        level[k] = ahead + alpha[k] * change;
        trend[k] = kSeasonalDamping * trend[k] + slope[k] * change;
        effect[k] += gamma[k] * (product ? error / ahead : error);
      }
    }
    for (std::size_t k = 0; k < kGridLanes; ++k) {
      if (!(sum[k] < error_)) continue;
      error_ = sum[k], level_ = level[k], trend_ = trend[k];
      season_.resize(s_);
      for (std::size_t j = 0; j < s_; ++j) season_[j] = season[j][k];
    }
  }

  History v_;
  std::size_t s_;
  bool product_;
  Values start_;
  double error_ = std::numeric_limits<double>::infinity();
  double level_ = 0, trend_ = 0;
  Values season_;
};

Values holt_winters(const ForecastTask& task, History v, bool product) {
  const int s = short_season(task);
  if (s < 2 || v.size() < static_cast<std::size_t>(2 * s + 1)) return {};
  return HoltWinters(v, s, product).forecast(task.horizon);
}

// The mean of the last four cycles, each weighing 0.7 of the next one.
Values season_mean(const ForecastTask& task, History v) {
  const std::size_t s = static_cast<std::size_t>(short_season(task)),
                    cycles = std::min<std::size_t>(v.size() / s, 4);
  if (s < 2 || cycles < 2) return {};
  Values profile(s, 0.0);
  double weight = 1, weights = 0;
  for (std::size_t c = 0; c < cycles; ++c, weight *= 0.7) {
    weights += weight;
    for (std::size_t j = 0; j < s; ++j) profile[j] += weight * v[v.size() - (c + 1) * s + j];
  }
  Values out(static_cast<std::size_t>(task.horizon));
  for (std::size_t h = 0; h < out.size(); ++h) out[h] = profile[h % s] / weights;
  return out;
}

// The shape of the last three long seasons; the level goes from that of the last short one to that of the
// last long one.
Values long_profile(const ForecastTask& task, History v) {
  const std::size_t s = static_cast<std::size_t>(long_season(task)),
                    r = static_cast<std::size_t>(short_season(task));
  const std::size_t n = v.size(), cycles = std::min<std::size_t>(n / s, 3);
  if (s < 2 || cycles < 1) return {};
  const bool product = positive(v);
  Values profile(s, 0.0);
  double last_mean = 0;
  for (std::size_t c = 0; c < cycles; ++c) {
    const History cycle = v.subspan(n - (c + 1) * s, s);
    const double mean = mean_of(cycle);
    if (c == 0) last_mean = mean;
    for (std::size_t j = 0; j < s; ++j)
      profile[j] += (product ? cycle[j] / mean : cycle[j] - mean) / static_cast<double>(cycles);
  }
  Values recent(r);
  for (std::size_t i = 0; i < r; ++i)
    recent[i] = product ? v[n - r + i] / profile[s - r + i] : v[n - r + i] - profile[s - r + i];
  double level = mean_of(recent);
  if (product) {
    std::ranges::sort(recent);
    level = (recent[r / 2] + recent[(r - 1) / 2]) / 2;
  }
  Values out(static_cast<std::size_t>(task.horizon));
  for (std::size_t h = 0; h < out.size(); ++h) {
    const double kept = std::pow(0.9, 4 * static_cast<double>(h + 1) / static_cast<double>(r));
    const double at = last_mean + (level - last_mean) * kept;
    out[h] = product ? profile[h % s] * at : profile[h % s] + at;
  }
  return out;
}

// The median of the last values of each place in the season (of all of them without one): outliers and the
// few sales among many zeros do not move it.
Values recent_median(const ForecastTask& task, History v) {
  constexpr std::size_t kCycles = 5, kValues = 28;
  const std::size_t s = static_cast<std::size_t>(short_season(task)), n = v.size();
  const std::size_t cycles = s > 1 ? std::min(n / s, kCycles) : std::min(n, kValues);
  if (cycles < 3) return {};
  Values out(static_cast<std::size_t>(task.horizon)), places(cycles);
  for (std::size_t h = 0; h < out.size(); ++h) {
    if (h >= s) {
      out[h] = out[h - s];
      continue;
    }
    for (std::size_t c = 0; c < cycles; ++c) places[c] = v[n - (c + 1) * s + h];
    std::ranges::sort(places);
    out[h] = (places[(cycles - 1) / 2] + places[cycles / 2]) / 2;
  }
  return out;
}

// A method on the logarithms: growth by shares, and effects of the season that grow with the level.
template <class Method>
Values on_logarithms(const ForecastTask& task, History v, Method&& method) {
  if (v.size() < 4 || !positive(v)) return {};
  Values logs(v.begin(), v.end());
  for (double& x : logs) x = std::log(x);
  Values out = deseasonalised(task, logs, method);
  for (double& x : out) x = std::exp(x);
  return out;
}

constexpr ForecastMethod kForecastMethods[] = {
    {"naive", [](const ForecastTask& task, History v) { return repeated(v.back(), task.horizon); }},
    {"seasonal-naive",
     [](const ForecastTask& task, History v) {
       return short_season(task) > 1 ? seasonal_naive(v, short_season(task), task.horizon) : Values();
     }},
    {"seasonal-naive-long",
     [](const ForecastTask& task, History v) {
       return task.seasons.size() > 1 ? seasonal_naive(v, long_season(task), task.horizon) : Values();
     }},
    {"drift",
     [](const ForecastTask& task, History v) {
       if (v.size() < 2) return Values();
       Values out(static_cast<std::size_t>(task.horizon));
       const double step = (v.back() - v.front()) / static_cast<double>(v.size() - 1);
       for (std::size_t h = 0; h < out.size(); ++h) out[h] = v.back() + step * static_cast<double>(h + 1);
       return out;
     }},
    {"ses",
     [](const ForecastTask& task, History v) { return repeated(smooth_level(v).level, task.horizon); }},
    {"seasonal-ses",
     [](const ForecastTask& task, History v) {
       if (!has_cycles(v, short_season(task))) return Values();
       return deseasonalised(task, v,
                             [&](History w) { return repeated(smooth_level(w).level, task.horizon); });
     }},
    {"holt",
     [](const ForecastTask& task, History v) {
       return deseasonalised(task, v, [&](History w) { return holt(w, task.horizon, 1); });
     }},
    {"damped",
     [](const ForecastTask& task, History v) {
       return deseasonalised(task, v, [&](History w) { return holt(w, task.horizon, kDamping); });
     }},
    {"theta",
     [](const ForecastTask& task, History v) {
       return deseasonalised(task, v, [&](History w) { return theta_line(w, task.horizon); });
     }},
    {"theta-multiplicative",
     [](const ForecastTask& task, History v) {
       if (!has_cycles(v, short_season(task)) || !positive(v)) return Values();
       return seasonal_theta(task, v, short_season(task), true);
     }},
    {"theta-long",
     [](const ForecastTask& task, History v) {
       if (task.seasons.size() < 2 || !has_cycles(v, long_season(task))) return Values();
       return seasonal_theta(task, v, long_season(task), false);
     }},
    {"holt-winters", [](const ForecastTask& task, History v) { return holt_winters(task, v, false); }},
    {"holt-winters-multiplicative",
     [](const ForecastTask& task, History v) {
       return positive(v) ? holt_winters(task, v, true) : Values();
     }},
    {"season-mean", season_mean},
    {"long-profile", long_profile},
    {"autoregression", forecast_autoregression},
    {"log-autoregression", forecast_log_autoregression},
    {"log-holt",
     [](const ForecastTask& task, History v) {
       return on_logarithms(task, v, [&](History w) { return holt(w, task.horizon, 1); });
     }},
    {"log-damped",
     [](const ForecastTask& task, History v) {
       return on_logarithms(task, v, [&](History w) { return holt(w, task.horizon, kDamping); });
     }},
    {"log-theta",
     [](const ForecastTask& task, History v) {
       return on_logarithms(task, v, [&](History w) { return theta_line(w, task.horizon); });
     }},
    {"median", recent_median},
};

}  // namespace

std::span<const ForecastMethod> forecast_methods() {
  return kForecastMethods;
}
bool is_forecast_method(std::string_view name) {
  return name == kLagTreesMethod ||
         std::ranges::find(kForecastMethods, name, &ForecastMethod::name) != std::end(kForecastMethods);
}

}  // namespace millrace::tasks
