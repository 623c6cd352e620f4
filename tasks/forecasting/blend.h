#pragma once
// Forecasts of one series by all methods together. Rolling-origin validation says how far each method was off
// on the last three windows of a horizon each; a method weighs by the inverse fourth power of that, and the
// forecast of a step is the weighted median of the methods' forecasts. What a series is too short to show
// comes from the other series (Pooled). Intervals are conformal: quantiles of what the blend missed in those
// windows (each forecast with weights of the other windows), scaled by the series' own mean miss. Sources: M4
// competition (combinations by validation), Vovk et al. 2005 (conformal prediction). Pure.

#include <span>
#include <vector>

#include "tasks/forecasting/methods.h"

namespace millrace::tasks {

inline constexpr int kForecastWindows = 3;

// What validation found out about one series.
struct SeriesStudy {
  struct Window {
    std::size_t origin = 0;         // values before it are the history
    std::vector<Values> forecasts;  // by method; of the window's steps; empty: not applicable
    std::vector<double> errors;     // by method: mean absolute error in units of `scale`; NaN: none
  };
  double scale = 1;  // mean absolute seasonal difference of the history; > 0
  std::vector<Window> windows;
};
// `history`: at least one finite value.
SeriesStudy study_series(const ForecastTask& task, History history);

// Over all series that were trained on.
struct Pooled {
  std::vector<double> errors;                  // by method: their mean; NaN: none applied it
  double miss = 1;                             // mean |actual - forecast| of the blend in units of scale
  double correlation = 0;                      // of what is missed at neighbouring steps
  std::vector<std::vector<double>> quantiles;  // [step][level]: of misses in units of the series' mean miss
};
inline constexpr int kQuantileLevels = 99;  // 0.01 … 0.99

// The weights of the methods, summing to 1, by the study's windows but `left_out` (-1: all).
std::vector<double> method_weights(const SeriesStudy& study, const Pooled& pooled, int left_out = -1);
// The weighted median for each step over the methods that have a forecast.
Values blend_forecasts(std::span<const Values> forecasts, std::span<const double> weights);

// What the blend missed in each window, with the weights of the others; oldest step first.
struct WindowResult {
  std::size_t origin = 0;
  Values forecast, miss;
};
std::vector<WindowResult> validate_blend(const SeriesStudy& study, const Pooled& pooled, History history);

// `results` are those of one series each; `scales` theirs. Sums run in the order given.
Pooled pool_errors(std::span<const SeriesStudy> studies);
void pool_misses(Pooled& pooled, std::span<const std::vector<WindowResult>> results,
                 std::span<const double> scales, int horizon);

// The series' mean miss; where few were seen, near the pooled one.
double blend_spread(std::span<const WindowResult> results, double scale, const Pooled& pooled);

struct BlendedForecast {
  Values mean;
  double spread = 1;          // the series' mean miss
  bool not_negative = false;  // the history never is, so forecasts are not
  // Forecast at a probability level in (0, 1), of one step and of each.
  double at(const Pooled& pooled, std::size_t step, double level) const;
  Values quantile(const Pooled& pooled, double level) const;
};
// The standard normal distribution's share below x.
double normal_probability(double x);

BlendedForecast forecast_series(const ForecastTask& task, History history, const Pooled& pooled);

}  // namespace millrace::tasks
