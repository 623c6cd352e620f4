#pragma once
// The candidates of an AutoML job over series: training jobs of `forecasting`, each a blend of other methods
// (tasks/forecasting/methods.h) or with other seasons. Pure.

#include <string>
#include <vector>

#include "tasks/forecasting/calendar.h"
#include "tasks/training/ensemble/ensemble.h"

namespace millrace::tasks {

// In the order in which they are worth their time. `families`: of ets, autoregression, profiles; empty: all,
// and blends of them.
std::vector<EnsembleMember> series_candidates(const Frequency& frequency,
                                              const std::vector<std::string>& families);

}  // namespace millrace::tasks
