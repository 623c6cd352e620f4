#pragma once
// Forecasts of one series by all methods together. Rolling-origin validation says how far each method was off
// on the last three windows of a horizon each; a method weighs by the inverse fourth power of that, and the
// forecast of a step is the weighted median of the methods' forecasts. What a series is too short to show
// comes from the other series (Pooled). Beside the methods stands one model over all series (lag_trees.h).
// Intervals are conformal: quantiles of what the blend missed in those windows (each forecast with weights of
// the other windows), in units of what the series missed in the other windows on the mean; of a new forecast
// they are scaled by the series' own mean miss. Sources: M4
// competition (combinations by validation), Vovk et al. 2005 (conformal prediction). Pure.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tasks/forecasting/lag_trees.h"
#include "tasks/forecasting/methods.h"

namespace millrace::tasks {

inline constexpr int kForecastWindows = 3;

// The members of the blend: the methods, and behind them the model over all series.
std::size_t blend_members();
std::string_view blend_member(std::size_t member);
// The model over all series, fitted twice: on what is before every window of validation, and on everything.
struct GlobalModel {
  LagTrees before, after;
};
// Where the first window of validation begins; nothing where there is none.
std::optional<std::size_t> first_window(std::size_t length, const ForecastTask& task);

// What validation found out about one series.
struct SeriesStudy {
  struct Window {
    std::size_t origin = 0;         // values before it are the history
    std::vector<Values> forecasts;  // by member; of the window's steps; empty: not applicable
    std::vector<double> errors;     // by member: mean absolute error in units of `scale`; NaN: none
  };
  double scale = 1;  // mean absolute seasonal difference of the history; > 0
  std::vector<Window> windows;
};
// `history`: at least one finite value. `before`: of the GlobalModel.
SeriesStudy study_series(const ForecastTask& task, History history, const LagTrees& before = {});

// Over all series that were trained on.
struct Pooled {
  std::vector<double> errors;                  // by member: their mean; NaN: none applied it
  double miss = 1;                             // mean |actual - forecast| of the blend in units of scale
  double correlation = 0;                      // of what is missed at neighbouring steps
  std::vector<std::vector<double>> quantiles;  // [step][level]: of misses in units of the series' mean miss
};
inline constexpr int kQuantileLevels = 99;  // 0.01 … 0.99

// The weights of the members, summing to 1, by the study's windows but `left_out` (-1: all).
std::vector<double> method_weights(const SeriesStudy& study, const Pooled& pooled, int left_out = -1);
// The weighted median for each step over the members that have a forecast.
Values blend_forecasts(std::span<const Values> forecasts, std::span<const double> weights);

// What the blend missed in each window, with the weights of the others; oldest step first.
struct WindowResult {
  std::size_t origin = 0;
  Values forecast, miss;
};
std::vector<WindowResult> validate_blend(const SeriesStudy& study, const Pooled& pooled, History history);

// What the blend missed on the mean over the series, in units of their scales.
double mean_scaled_miss(std::span<const std::vector<WindowResult>> results, std::span<const double> scales);
// `results` are those of one series each; `scales` theirs. Sums run in the order given.
Pooled pool_errors(std::span<const SeriesStudy> studies);
void pool_misses(Pooled& pooled, std::span<const std::vector<WindowResult>> results,
                 std::span<const double> scales, int horizon);

// The series' mean miss; the pooled one weighs like one window of the horizon.
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

BlendedForecast forecast_series(const ForecastTask& task, History history, const Pooled& pooled,
                                const GlobalModel& global = {});

}  // namespace millrace::tasks
