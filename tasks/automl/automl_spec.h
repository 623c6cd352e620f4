#pragma once
// AutoMLSpec: what a CreateAutoMLJob or CreateAutoMLJobV2 request asks for, read and checked.
//
// Of V2: AutoMLJobName; AutoMLJobInputDataConfig[].{ChannelType, DataSource.S3DataSource.{S3Uri, S3DataType},
// ContentType, CompressionType}; OutputDataConfig.S3OutputPath; AutoMLJobObjective.MetricName;
// DataSplitConfig.ValidationFraction; ModelDeployConfig; RandomSeed, which is ours: the same data, request
// and seed give the same candidates, unless time runs out; and one of AutoMLProblemTypeConfig's
//   TabularJobConfig              TargetAttributeName, ProblemType, Mode, CompletionCriteria,
//                                 CandidateGenerationConfig.AlgorithmsConfig[].AutoMLAlgorithms,
//                                 FeatureSpecificationS3Uri, GenerateCandidateDefinitionsOnly
//   TextClassificationJobConfig   ContentColumn, TargetLabelColumn, CompletionCriteria
//   TimeSeriesForecastingJobConfig  ForecastFrequency, ForecastHorizon, ForecastQuantiles, TimeSeriesConfig,
//                                 Transformations, CompletionCriteria, CandidateGenerationConfig
// Of V1: InputDataConfig with TargetAttributeName, ProblemType, AutoMLJobConfig,
// GenerateCandidateDefinitionsOnly. Refused, since they would change the result: images and texts that are
// written, SampleWeightAttributeName, HolidayConfig. SecurityConfig and AutoMLComputeConfig mean nothing
// here. Source: SageMaker API reference.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/automl/analysis.h"
#include "tasks/forecasting/series_grid.h"

namespace millrace::tasks {

inline constexpr std::int64_t kCandidatesDefault = 10, kTunedCandidatesDefault = 30, kCandidatesMax = 750;

inline constexpr std::int64_t kForecastHorizonMax = 500;

struct AutoMLSpec {
  enum class Mode { Auto, Ensembling, Tuning };
  enum class Kind { Table, Texts, Series };
  // TimeSeriesForecastingJobConfig; its target is the spec's.
  struct Forecast {
    std::string frequency;  // as the request writes it
    int horizon = 1;
    std::vector<double> levels = {0.1, 0.5, 0.9};  // ForecastQuantiles
    SeriesGridSettings grid;
  };

  std::string job_name;
  Kind kind = Kind::Table;
  Json train_input;         // S3Input of a processing job
  Json validation_input;    // null: none
  std::string target;       // of Texts: the column of labels
  std::string text_column;  // of Texts
  Forecast forecast;        // of Series
  std::optional<Problem> problem;
  std::string objective;  // SageMaker's name; empty: the problem's usual one
  Mode mode = Mode::Auto;
  std::vector<std::string> algorithms;  // empty: all
  std::optional<std::int64_t> candidates_max;
  std::int64_t training_seconds_max = 0, job_seconds_max = 0;  // 0: no limit
  std::string features_uri;                                    // FeatureSpecificationS3Uri; empty: none
  double validation_fraction = 0.2;
  bool fraction_given = false;
  bool definitions_only = false;  // GenerateCandidateDefinitionsOnly
  bool deploy = false;            // ModelDeployConfig
  std::string endpoint_name;      // of that; empty: <job>-endpoint
  std::string output_uri;
  std::uint64_t seed = 0;

  std::string place() const;      // <S3OutputPath>/<name>/
  std::string endpoint() const {  // where the winner is deployed
    return endpoint_name.empty() ? job_name + "-endpoint" : endpoint_name;
  }
};

// InvalidArgument names the field by its path.
Result<AutoMLSpec> parse_automl_spec(const Json& request);

// An objective of SageMaker's as ours.
struct ObjectiveMetric {
  std::string_view name;    // "F1macro"
  std::string_view metric;  // "validation:macro_f1"
  bool maximize = true;
};
// The default where `name` is empty. InvalidArgument: not a metric of that problem (lists those that are).
Result<ObjectiveMetric> objective_for(const std::string& name, Problem problem);
// SageMaker's name of a metric ("validation:f1" is F1), else ours without its channel.
std::string standard_metric_name(Problem problem, std::string_view metric);

}  // namespace millrace::tasks
