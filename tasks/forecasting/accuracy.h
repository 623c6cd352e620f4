#pragma once
// How good forecasts were, by the names of Amazon Forecast and DeepAR, and of the M4 competition. Series come
// one by one; sums run in their order. One thread.

#include <map>
#include <span>
#include <string>
#include <vector>

namespace millrace::tasks {

class ForecastAccuracy {
 public:
  explicit ForecastAccuracy(std::vector<double> levels)
      : levels_(std::move(levels)), losses_(levels_.size()) {}

  // One series over a horizon: NaN among `actual` is left out. `seasonal_scale`: mean absolute seasonal
  // difference of its history, 0 when it has none (the series does not count for MASE then). `quantiles`: by
  // level, of the same steps.
  void add(std::span<const double> actual, std::span<const double> mean, double seasonal_scale,
           std::span<const std::vector<double>> quantiles);
  // MASE, sMAPE (in per cent, as in M4), WAPE and MAPE (as shares), RMSE, wQL[0.1] …, mean_wQuantileLoss.
  // What the data does not define (all actual values 0) is not there.
  std::map<std::string, double> metrics() const;

 private:
  std::vector<double> levels_, losses_;
  double scaled_ = 0, scaled_count_ = 0, symmetric_ = 0, series_ = 0, relative_ = 0, relative_count_ = 0;
  double absolute_ = 0, squares_ = 0, steps_ = 0, total_ = 0;
};

// "wQL[0.1]"
std::string quantile_loss_name(double level);
// Mean |v[i] - v[i - season]|; 0 when the history is not longer than the season.
double seasonal_difference(std::span<const double> history, int season);

}  // namespace millrace::tasks
