#pragma once
// One model over all series: a ridge regression and boosted trees on what it leaves, on lags, levels, places
// in the seasons and the calendar (lag_rows.h). It answers every step of the horizon by itself, from what is
// before the origin, so that no forecast is fed back. A member of the blend where there is enough data; the
// blend's validation decides whether it stays. Sources: M5 competition (global boosted trees on lags);
// Montero-Manso and Hyndman 2021 (global and local models). Immutable once fitted; any thread.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "tasks/forecasting/methods.h"
#include "tasks/training/model_bytes.h"
#include "tasks/trees/predict.h"
#include "tasks/trees/team.h"

namespace millrace::tasks {

// Mean absolute seasonal difference of the history, or of its neighbours, or its size; > 0.
double scale_of_history(History v, int season);

struct LagSeries {
  ForecastTask task;
  History values;  // what may be learnt from
};

class LagTrees {
 public:
  // An empty model, which has no forecasts, when the series have too few values. The same bytes for any team.
  // Cancelled.
  static Result<LagTrees> fit(std::span<const LagSeries> series, std::uint64_t seed, trees::Team& team,
                              const std::function<bool()>& cancelled);

  bool empty() const { return linear_.empty(); }
  // Horizon values; none when the history is too short or the model empty.
  Values forecast(const ForecastTask& task, History history) const;

  void save(ModelWriter& writer) const;
  // What save() wrote of a model for rows like the task's; `good` turns false for anything else.
  static LagTrees load(ModelReader& reader, const ForecastTask& task, bool& good);

 private:
  std::vector<double> linear_;  // coefficients of LagRows::fill_linear
  trees::Ensemble ensemble_;
  trees::Predictor predictor_;
};

}  // namespace millrace::tasks
