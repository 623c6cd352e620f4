#pragma once
// TuningSpec: what a CreateHyperParameterTuningJob request asks for, read and checked.
//
// Taken: HyperParameterTuningJobName; HyperParameterTuningJobConfig.{Strategy (Bayesian, Random, Grid,
// Hyperband), HyperParameterTuningJobObjective.{Type, MetricName}, ResourceLimits.{MaxNumberOfTrainingJobs,
// MaxParallelTrainingJobs, MaxRuntimeInSeconds}, ParameterRanges, TrainingJobEarlyStoppingType,
// TuningJobCompletionCriteria.{TargetObjectiveMetricValue, BestObjectiveNotImproving}, RandomSeed};
// TrainingJobDefinition, which is the trials' CreateTrainingJob request but for its name and what is tuned
// (StaticHyperParameters are its HyperParameters); WarmStartConfig. Hyperband takes
// StrategyConfig.HyperbandStrategyConfig.{MinResource, MaxResource}: rounds or epochs; MaxResource is the
// static num_round, epochs, … when it is not given, MinResource 1. Bayesian takes
// StrategyConfig.BayesianStrategyConfig.Surrogate, which is ours (SageMaker does not say how it searches):
// TPE (the default) or GaussianProcess. TrainingJobDefinitions, AutoParameters, Autotune and
// ConvergenceDetected are refused. For
// a built-in algorithm, names and ends of ranges are checked against its rules, and the objective must be one
// of its metrics; xgboost computes it as its eval_metric when none is given. Grid searches categories and
// integers. Source: SageMaker API reference, CreateHyperParameterTuningJob.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/training/estimator.h"
#include "tasks/tuning/hyperband.h"
#include "tasks/tuning/space.h"

namespace millrace::tasks {

struct TuningSpec {
  enum class Strategy { Bayesian, Random, Grid, Hyperband };
  enum class Surrogate { ParzenEstimator, GaussianProcess };
  std::string job_name;
  Strategy strategy = Strategy::Bayesian;
  Surrogate surrogate = Surrogate::ParzenEstimator;  // of Bayesian
  std::string metric;                                // "validation:auc"
  bool maximize = false;
  std::int64_t trials_max = 1, parallel_max = 1;
  SearchSpace space;
  bool stop_early = false;           // TrainingJobEarlyStoppingType Auto
  HalvingSpan halving;               // of Hyperband: rounds of a trial
  std::vector<std::string> parents;  // WarmStartConfig: names of tuning jobs whose trials are known already
  bool identical = true;  // WarmStartType IdenticalDataAndAlgorithm: their trials count as this job's
  std::optional<double> target_value;  // no new trials once one is at least as good
  std::int64_t not_improving_max = 0;  // BestObjectiveNotImproving: no new trials after so many; 0: no end
  std::int64_t runtime_max_s = 0;      // MaxRuntimeInSeconds; 0: no end
  std::uint64_t seed = 0;
  HyperParameters static_parameters;
  std::string output_uri;  // TrainingJobDefinition.OutputDataConfig.S3OutputPath
  Json definition;         // TrainingJobDefinition

  std::string results_uri() const;  // <S3OutputPath>/<name>/tuning/
};

// InvalidArgument names the field by its path.
Result<TuningSpec> parse_tuning_spec(const Json& request);

}  // namespace millrace::tasks
