#pragma once
// Trials: what the search runs, and what came of it. Values.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tasks/training/estimator.h"
#include "tasks/tuning/tuning_spec.h"

namespace millrace::tasks {

struct Trial {
  std::int64_t number = 0;     // from 1
  std::string job_name;        // "<tuning job>-001-1f3a9c20": the same in every run of the tuning job
  HyperParameters parameters;  // the tuned ones
};

enum class TrialStatus { Completed, Stopped, Failed };
std::string_view name_of(TrialStatus status);  // SageMaker's TrainingJobStatus

struct TrialOutcome {
  TrialStatus status = TrialStatus::Completed;  // Stopped: by the hook, with a model
  std::map<std::string, double> metrics;        // final ones; the objective must be there unless Failed
  std::string failure;                          // of a failed one: why
};

// A trial that has ended. `curve` are the objective's values by round, which the median rule compares.
struct TrialRecord {
  Trial trial;
  TrialOutcome outcome;
  std::vector<double> curve;
};

// The trial's CreateTrainingJob request.
Json trial_request(const TuningSpec& spec, const Trial& trial);

}  // namespace millrace::tasks
