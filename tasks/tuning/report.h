#pragma once
// What a search tells people: the data behind its charts, the chart of whole trials, a page with all of it.
// Pure.

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "tasks/tuning/trial.h"

namespace millrace::tasks {

// {"objective": {"name", "type"}, "best_so_far": [{"trial", "value"}],
//  "importance": [{"name", "share"}], largest first; empty with too few trials (importance.h),
//  "scatter": [{"name", "scale": "linear"|"logarithmic"|"category", "points": [{"trial", "x", "value"}]}],
//  "parallel": {"axes": [{"name", "kind", "low", "high"} or {"name", "kind", "values"}],
//               "lines": [{"trial", "value", "places": [0..1 or null, …]}]}}
// Trials that failed are left out. A category's x is its text. A place is where a line meets its axis, from
// the low end (the first category) to the high one; null where the hyperparameter is not there.
Json search_charts(const TuningSpec& spec, std::span<const TrialRecord> trials);

// One line a trial over all hyperparameters to the objective; the best tenth in front.
std::string draw_parallel_trials(const TuningSpec& spec, std::span<const TrialRecord> trials);

// Leaderboard, importance and `charts` on one page. `data`: of search_charts.
std::string search_page(const TuningSpec& spec, std::span<const TrialRecord> trials, const Json& data,
                        const std::vector<std::string>& charts);

}  // namespace millrace::tasks
