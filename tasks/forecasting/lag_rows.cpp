#include "tasks/forecasting/lag_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::tasks {
namespace {

constexpr float kAbsentFeature = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t kLevelSteps = 6;  // of a level without a season
constexpr std::size_t kLevelFeatures = 9, kSeasonFeatures = 4, kCalendarFeatures = 2;
constexpr std::size_t kLinearLevel = 5;    // features 1 … 5 are linear ones; 1 … 4 also by 1 / step
constexpr std::size_t kProfileCycles = 3;  // of a season's profile
constexpr double kLinearLimit = 20;

std::vector<std::size_t> lag_seasons(const ForecastTask& task) {
  std::vector<std::size_t> out;
  if (task.seasons.empty()) return out;
  out.push_back(static_cast<std::size_t>(task.seasons.front()));
  if (task.seasons.size() > 1) out.push_back(static_cast<std::size_t>(task.seasons.back()));
  return out;
}

std::size_t level_steps(const ForecastTask& task) {
  return task.seasons.empty() ? kLevelSteps : static_cast<std::size_t>(task.seasons.front());
}

}  // namespace

LagRows::LagRows(const ForecastTask& task, History history, double scale)
    : task_(task), v_(history), scale_(scale), sums_(1, 0.0), changes_(1, 0.0), zeros_(1, 0.0) {
  for (std::size_t i = 0; i < v_.size(); ++i) {
    sums_.push_back(sums_.back() + v_[i]);
    changes_.push_back(changes_.back() + (i == 0 ? 0 : std::abs(v_[i] - v_[i - 1])));
    zeros_.push_back(zeros_.back() + (v_[i] == 0 ? 1 : 0));
  }
}

std::size_t LagRows::least_history(const ForecastTask& task) {
  return task.seasons.empty() ? kLevelSteps : 2 * level_steps(task);
}
std::size_t LagRows::width(const ForecastTask& task) {
  return kLevelFeatures + kSeasonFeatures * lag_seasons(task).size() + kCalendarFeatures +
         task.features.size();
}
std::size_t LagRows::linear_width(const ForecastTask& task) {
  return 2 * kLinearLevel - 1 + 3 * lag_seasons(task).size() + task.features.size() + 1;
}

double LagRows::centre(std::size_t origin) const {
  return mean(origin - std::min(origin, level_steps(task_)), origin);
}

// In the last cycle, on the mean of the last ones, around the place in the last one, and the place.
float* LagRows::fill_season(std::size_t length, std::size_t origin, std::size_t step, float* out) const {
  const std::size_t ahead = (step - 1) % length;
  double profile = 0, last = 0;
  std::size_t cycles = 0;
  for (; cycles < kProfileCycles && origin >= (cycles + 1) * length; ++cycles) {
    const std::size_t from = origin - (cycles + 1) * length;
    const double here = v_[from + ahead] - mean(from, from + length);
    profile += here;
    if (cycles == 0) last = here;
  }
  if (cycles == 0) {
    out[0] = out[1] = out[2] = kAbsentFeature;
  } else {
    const std::size_t from = origin - length, at = from + ahead;
    const double before = v_[at == 0 ? at : at - 1], behind = v_[at + 1 < origin ? at + 1 : at];
    out[0] = static_cast<float>(last / scale_);
    out[1] = static_cast<float>(profile / static_cast<double>(cycles) / scale_);
    out[2] = static_cast<float>(((before + behind) / 2 - mean(from, origin)) / scale_);
  }
  const auto place = static_cast<std::int64_t>(origin + step - 1) + task_.position;
  const auto whole = static_cast<std::int64_t>(length);
  out[3] = static_cast<float>(((place % whole) + whole) % whole);
  return out + kSeasonFeatures;
}

void LagRows::fill(std::size_t origin, std::size_t step, float* out) const {
  const std::size_t level = level_steps(task_), far = std::min(origin, 4 * level);
  const double around = centre(origin);
  const auto relative = [&](double x) { return static_cast<float>((x - around) / scale_); };
  *out++ = static_cast<float>(step);
  for (std::size_t lag = 1; lag <= 3; ++lag) *out++ = relative(v_[origin - lag]);
  *out++ = origin >= 2 * level ? -relative(mean(origin - 2 * level, origin - level)) : kAbsentFeature;
  *out++ = relative(mean(origin - far, origin));
  *out++ = static_cast<float>((changes_[origin] - changes_[origin - std::min(level, origin - 1)]) /
                              static_cast<double>(level) / scale_);
  *out++ = static_cast<float>(std::asinh(around / scale_));
  *out++ = static_cast<float>((zeros_[origin] - zeros_[origin - far]) / static_cast<double>(far));
  for (const std::size_t length : lag_seasons(task_)) out = fill_season(length, origin, step, out);
  const CalendarPlace place = calendar_place(
      add_steps(task_.start, static_cast<std::int64_t>(origin + step - 1), task_.frequency), task_.frequency);
  *out++ = place.weekday >= 0 ? static_cast<float>(place.weekday) : kAbsentFeature;
  *out++ = place.day_of_month >= 0 ? static_cast<float>(place.day_of_month) : kAbsentFeature;
  for (const std::vector<double>& feature : task_.features)
    *out++ = static_cast<float>(feature[origin + step - 1]);
}

void LagRows::fill_linear(const float* row, std::size_t step, double* out) const {
  const auto bounded = [](float x) {
    return std::isfinite(x) ? std::clamp(static_cast<double>(x), -kLinearLimit, kLinearLimit) : 0.0;
  };
  for (std::size_t j = 1; j <= kLinearLevel; ++j) *out++ = bounded(row[j]);
  for (std::size_t j = 1; j < kLinearLevel; ++j) *out++ = bounded(row[j]) / static_cast<double>(step);
  const float* season = row + kLevelFeatures;
  for (std::size_t s = 0; s < lag_seasons(task_).size(); ++s, season += kSeasonFeatures)
    for (std::size_t j = 0; j < 3; ++j) *out++ = bounded(season[j]);
  season += kCalendarFeatures;
  for (std::size_t f = 0; f < task_.features.size(); ++f) *out++ = static_cast<double>(season[f]);
  *out = 1;
}

}  // namespace millrace::tasks
