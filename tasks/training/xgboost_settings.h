#pragma once
// The hyperparameters of `xgboost` as the settings of the engine (tasks/trees). Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/training/estimator.h"
#include "tasks/trees/boost.h"
#include "tasks/trees/metric.h"

namespace millrace::tasks {

// A metric that the job asks for, and how it follows from the engine's.
struct XgboostMetric {
  std::string name;  // "accuracy"
  trees::Metric metric;
  double (*derive)(double) = nullptr;  // null: as it is
};

struct XgboostSettings {
  trees::BoostSettings boost;
  std::int64_t rounds = 0, patience = 0;  // patience 0: no early stopping
  std::vector<XgboostMetric> metrics;     // never empty; the last one decides
  int threads = 0;                        // 0: the job's
  bool seed_given = false;
  bool binary = false;   // targets are 0 and 1
  bool multi = false;    // targets are classes
  bool ranking = false;  // rows belong to queries
};

// InvalidArgument names the hyperparameter, its value and what is taken.
Result<XgboostSettings> xgboost_settings(const HyperParameters& parameters);

}  // namespace millrace::tasks
