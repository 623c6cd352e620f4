#pragma once
// Forecasting methods of one series: simple, well known, each with a few parameters that a grid over one-step
// errors sets. None is trusted by itself; blend.h weighs them. All are pure and deterministic.
//
// A history is finite values, oldest first. `seasons` are lengths in steps, ascending; a method that needs a
// season takes the shortest (s) or the longest (S). Sources: Holt 1957, Winters 1960, Gardner and McKenzie
// 1985 (damped trend), Assimakopoulos and Nikolopoulos 2000 and Hyndman and Billah 2003 (Theta).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/forecasting/calendar.h"

namespace millrace::tasks {

struct ForecastTask {
  std::vector<int> seasons;
  int horizon = 1;
  // Features known of past and future, each at least history + horizon long, the history's first step first;
  // only the autoregressions and the model over all series use them.
  std::vector<std::vector<double>> features = {};
  // Of the history's first value; only the model over all series uses them.
  Frequency frequency = {};
  std::int64_t start = 0, position = 0;   // position: calendar_position(start)
  std::vector<std::string> methods = {};  // names of those that are used; empty: all
};

using Values = std::vector<double>;
using History = std::span<const double>;

struct ForecastMethod {
  std::string_view name;
  // horizon values; empty when the history is too short for it or it does not apply (a logarithm of a history
  // that is not positive).
  Values (*forecast)(const ForecastTask& task, History history);
};
// All of them; the order is part of saved models.
std::span<const ForecastMethod> forecast_methods();
// Of the model over all series, which follows them in a blend (lag_trees.h).
inline constexpr std::string_view kLagTreesMethod = "lag-trees";
// Whether a blend may have it: one of them, or that.
bool is_forecast_method(std::string_view name);

// The two that autoregression.cpp has: ridge regression on lags around the seasons, recent rows weighing
// more, on the values or their logarithms; forecasts stay near the range seen.
Values forecast_autoregression(const ForecastTask& task, History history);
Values forecast_log_autoregression(const ForecastTask& task, History history);
// The lags it takes, ascending: 1 to 3, up to s + 1 of short seasons, multiples and neighbours of seasons.
std::vector<int> autoregression_lags(const std::vector<int>& seasons);

}  // namespace millrace::tasks
