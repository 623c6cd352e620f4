#include "tasks/forecasting/accuracy.h"

#include <algorithm>
#include <cmath>

#include "tasks/table/table.h"

namespace millrace::tasks {

void ForecastAccuracy::add(std::span<const double> actual, std::span<const double> mean,
                           double seasonal_scale, std::span<const std::vector<double>> quantiles) {
  double absolute = 0, symmetric = 0, steps = 0;
  for (std::size_t h = 0; h < actual.size(); ++h) {
    if (std::isnan(actual[h])) continue;
    const double error = std::abs(actual[h] - mean[h]), size = std::abs(actual[h]);
    absolute += error, ++steps;
    symmetric += 200 * error / std::max(size + std::abs(mean[h]), 1e-12);
    squares_ += error * error, total_ += size;
    if (size > 0) relative_ += error / size, ++relative_count_;
    for (std::size_t q = 0; q < levels_.size(); ++q) {
      const double above = actual[h] - quantiles[q][h];
      losses_[q] += 2 * std::max(levels_[q] * above, (levels_[q] - 1) * above);
    }
  }
  if (steps == 0) return;
  absolute_ += absolute, steps_ += steps;
  symmetric_ += symmetric / steps, ++series_;
  if (seasonal_scale > 0) scaled_ += absolute / steps / seasonal_scale, ++scaled_count_;
}

std::map<std::string, double> ForecastAccuracy::metrics() const {
  std::map<std::string, double> out;
  if (steps_ == 0) return out;
  out["RMSE"] = std::sqrt(squares_ / steps_);
  out["sMAPE"] = symmetric_ / series_;
  if (scaled_count_ > 0) out["MASE"] = scaled_ / scaled_count_;
  if (relative_count_ > 0) out["MAPE"] = relative_ / relative_count_;
  if (!(total_ > 0)) return out;
  out["WAPE"] = absolute_ / total_;
  double sum = 0;
  for (std::size_t q = 0; q < levels_.size(); ++q) {
    out[quantile_loss_name(levels_[q])] = losses_[q] / total_;
    sum += losses_[q] / total_;
  }
  if (!levels_.empty()) out["mean_wQuantileLoss"] = sum / static_cast<double>(levels_.size());
  return out;
}

std::string quantile_loss_name(double level) {
  return "wQL[" + format_number(level) + "]";
}

double seasonal_difference(std::span<const double> history, int season) {
  const std::size_t s = static_cast<std::size_t>(season);
  if (history.size() <= s) return 0;
  double sum = 0;
  for (std::size_t i = s; i < history.size(); ++i) sum += std::abs(history[i] - history[i - s]);
  return sum / static_cast<double>(history.size() - s);
}

}  // namespace millrace::tasks
