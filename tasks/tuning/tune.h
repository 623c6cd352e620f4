#pragma once
// A tuning job: suggests trials, runs up to parallel_max of them at a time through a function of the caller's
// (who keeps the training jobs' records), and writes leaderboard, tables and charts.
//
// Repeatable whatever the timing: trial i is suggested from the results of exactly the trials before i -
// parallel_max + 1, in trial order, with a random stream of its own, and early stopping compares with the
// same trials only. So a window of parallel_max trials moves over the list: a slow trial lets the others of
// its window finish and then holds up new ones. The same seed, space, results and parallel_max give the same
// trials; another parallel_max gives others, since later trials then know more or less. After a restart the
// trials that had ended are handed in and not run again.
//
// Early stopping (Auto) is SageMaker's median rule: a trial stops when its objective at a round is worse than
// the median of the running averages up to that round of the trials it may know that completed; from 5 of
// those on. Hyperband has a rule of its own (hyperband.h), over the same known trials. Worker threads; starts
// parallel_max threads of its own.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tasks/task.h"
#include "tasks/training/train.h"
#include "tasks/tuning/trial.h"

namespace millrace::tasks {

// Runs one trial to its end and returns what came of it; a trial that fails is an outcome, not an error.
// Called from several threads at once. Calls the hooks' functions for every metric (run_training does).
// Errors end the tuning job: Cancelled above all.
using RunTrial =
    std::function<Result<TrialOutcome>(const Trial& trial, const Json& request, const TrainHooks& hooks)>;

struct TuningResult {
  std::vector<TrialRecord> trials;  // in trial order
  std::optional<std::size_t> best;  // index of the best that completed, else of the best that was stopped
  std::string results_uri;          // trials.csv, trials.json, best_so_far.svg, <hyperparameter>.svg
};

// What tuning jobs before this one found out, in the space of this one.
struct Experience {
  HyperParameters parameters;  // tuned ones; what is not in this space is passed over
  double value = 0;            // of the objective
};

// `finished`: trials of an earlier run of the same job; those whose hyperparameters are not what the search
// suggests for their number are run again. `begin`: from when MaxRuntimeInSeconds counts; else from now.
// Errors: those of run_trial; InvalidArgument when every trial failed, with the first reason.
Result<TuningResult> run_tuning(const TuningSpec& spec, const std::vector<TrialRecord>& finished,
                                const RunTrial& run_trial, TaskContext& context,
                                const std::vector<Experience>& experience = {},
                                std::optional<Instant> begin = std::nullopt);

}  // namespace millrace::tasks
