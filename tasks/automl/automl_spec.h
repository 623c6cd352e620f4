#pragma once
// AutoMLSpec: what a CreateAutoMLJob or CreateAutoMLJobV2 request asks for, read and checked.
//
// Taken of V2: AutoMLJobName; AutoMLJobInputDataConfig[].{ChannelType, DataSource.S3DataSource.{S3Uri,
// S3DataType}, ContentType, CompressionType}; OutputDataConfig.S3OutputPath;
// AutoMLProblemTypeConfig.TabularJobConfig.{TargetAttributeName, ProblemType, Mode, CompletionCriteria,
// CandidateGenerationConfig.AlgorithmsConfig[].AutoMLAlgorithms, FeatureSpecificationS3Uri};
// AutoMLJobObjective.MetricName; DataSplitConfig.ValidationFraction; RandomSeed, which is ours: the same
// data, request and seed give the same candidates, unless time runs out. Of V1: InputDataConfig with
// TargetAttributeName, ProblemType, AutoMLJobConfig. Refused, since they would change the result: other
// problem types, SampleWeightAttributeName, ModelDeployConfig, GenerateCandidateDefinitionsOnly true. Source:
// SageMaker API reference.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/automl/analysis.h"

namespace millrace::tasks {

inline constexpr std::int64_t kCandidatesDefault = 10, kTunedCandidatesDefault = 30, kCandidatesMax = 750;

struct AutoMLSpec {
  enum class Mode { Auto, Ensembling, Tuning };
  std::string job_name;
  Json train_input;       // S3Input of a processing job
  Json validation_input;  // null: none
  std::string target;
  std::optional<Problem> problem;
  std::string objective;  // SageMaker's name; empty: F1, Accuracy or MSE by the problem
  Mode mode = Mode::Auto;
  std::vector<std::string> algorithms;  // empty: all
  std::optional<std::int64_t> candidates_max;
  std::int64_t training_seconds_max = 0, job_seconds_max = 0;  // 0: no limit
  std::string features_uri;                                    // FeatureSpecificationS3Uri; empty: none
  double validation_fraction = 0.2;
  std::string output_uri;
  std::uint64_t seed = 0;

  std::string place() const;  // <S3OutputPath>/<name>/
};

// InvalidArgument names the field by its path.
Result<AutoMLSpec> parse_automl_spec(const Json& request);

// An objective of SageMaker's as ours.
struct ObjectiveMetric {
  std::string_view name;    // "F1macro"
  std::string_view metric;  // "validation:macro_f1"
  bool maximize = true;
};
// InvalidArgument: not a metric of that problem (lists those that are).
Result<ObjectiveMetric> objective_for(const std::string& name, Problem problem);

}  // namespace millrace::tasks
