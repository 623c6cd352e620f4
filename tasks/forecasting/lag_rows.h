#pragma once
// What a model over all series sees of one of them: a row of features for a step ahead of an origin. Values
// stand around the mean of the last cycle (of the last six values without a season) and in units of the
// series' own scale, so that large and small series are alike. A feature that a history is too short for is
// NaN. Pure; immutable once made.

#include <cstdint>
#include <vector>

#include "tasks/forecasting/methods.h"

namespace millrace::tasks {

class LagRows {
 public:
  // `task` and `history` must outlive it; `scale` > 0.
  LagRows(const ForecastTask& task, History history, double scale);

  // Values that must stand before an origin.
  static std::size_t least_history(const ForecastTask& task);
  static std::size_t width(const ForecastTask& task);
  static std::size_t linear_width(const ForecastTask& task);

  // Of the `step`-th value (from 1) behind history[origin - 1]; width() numbers.
  void fill(std::size_t origin, std::size_t step, float* out) const;
  // The same row for a linear model: linear_width() numbers, none of them NaN, the last one 1.
  void fill_linear(const float* row, std::size_t step, double* out) const;
  // Level around which a row stands.
  double centre(std::size_t origin) const;
  double scale() const { return scale_; }

 private:
  double mean(std::size_t from, std::size_t to) const {
    return (sums_[to] - sums_[from]) / static_cast<double>(to - from);
  }
  float* fill_season(std::size_t length, std::size_t origin, std::size_t step, float* out) const;

  const ForecastTask& task_;
  History v_;
  double scale_;
  std::vector<double> sums_, changes_, zeros_;  // of what stands before a place
};

}  // namespace millrace::tasks
