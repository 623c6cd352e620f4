#pragma once
// The results of a search: which trial is best, and the files people read. Pure but for write_results.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/tuning/trial.h"

namespace millrace::tasks {

// The trials by merit: completed ones, then stopped ones, by the objective (the earlier of equals first);
// failed ones are left out.
std::vector<std::size_t> leaderboard(const TuningSpec& spec, std::span<const TrialRecord> trials);
std::optional<std::size_t> best_of(const TuningSpec& spec, std::span<const TrialRecord> trials);
// "Completed: validation:auc 0.91 with eta 0.1, max_depth 6"
std::string describe(const TuningSpec& spec, const TrialRecord& record);

// trials.csv      a row a trial in their order: number, name, status, rank, objective, then a column a
//                 hyperparameter (empty where it is not there)
// trials.json     the same with all metrics and the objective's curve, best first
// charts.json, report.html: see report.h
// best_so_far.svg, parallel_coordinates.svg, <hyperparameter>.svg: the objective over trials, over whole
//                 trials and over each hyperparameter
Status write_results(const TuningSpec& spec, std::span<const TrialRecord> trials, const ObjectStore& objects,
                     std::string_view uri);

}  // namespace millrace::tasks
