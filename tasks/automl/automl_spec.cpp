#include "tasks/automl/automl_spec.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/jobs/entities.h"
#include "tasks/training/ensemble/ensemble.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/training_spec.h"

namespace millrace::tasks {

namespace {

struct TableObjective {
  Problem problem;
  ObjectiveMetric metric;
};
// Of each problem the first one is the default.
constexpr TableObjective kObjectives[] = {
    {Problem::Binary, {"F1", "validation:f1"}},
    {Problem::Binary, {"Accuracy", "validation:accuracy"}},
    {Problem::Binary, {"BalancedAccuracy", "validation:balanced_accuracy"}},
    {Problem::Binary, {"AUC", "validation:auc"}},
    {Problem::Binary, {"Precision", "validation:precision"}},
    {Problem::Binary, {"Recall", "validation:recall"}},
    {Problem::Binary, {"LogLoss", "validation:logloss", false}},
    {Problem::Classes, {"Accuracy", "validation:accuracy"}},
    {Problem::Classes, {"BalancedAccuracy", "validation:balanced_accuracy"}},
    {Problem::Classes, {"F1macro", "validation:macro_f1"}},
    {Problem::Classes, {"PrecisionMacro", "validation:macro_precision"}},
    {Problem::Classes, {"RecallMacro", "validation:macro_recall"}},
    {Problem::Classes, {"LogLoss", "validation:mlogloss", false}},
    {Problem::Regression, {"MSE", "validation:mse", false}},
    {Problem::Regression, {"RMSE", "validation:rmse", false}},
    {Problem::Regression, {"MAE", "validation:mae", false}},
    {Problem::Regression, {"R2", "validation:r2"}},
    {Problem::Forecasting, {"AverageWeightedQuantileLoss", "test:mean_wQuantileLoss", false}},
    {Problem::Forecasting, {"MASE", "test:MASE", false}},
    {Problem::Forecasting, {"RMSE", "test:RMSE", false}},
    {Problem::Forecasting, {"WAPE", "test:WAPE", false}},
    {Problem::Forecasting, {"MAPE", "test:MAPE", false}},
};

// SageMaker's names of algorithms and ours; those we have nothing of are not in the table.
using AlgorithmName = std::pair<std::string_view, std::string_view>;
// Of series: families of methods (series_candidates.h).
constexpr AlgorithmName kSeriesAlgorithms[] = {
    {"ets", "ets"}, {"arima", "autoregression"}, {"npts", "profiles"}};
constexpr AlgorithmName kAlgorithmNames[] = {
    {"xgboost", "xgboost"},
    {"linear-learner", "linear-learner"},
    {"mlp", "mlp"},
    {"nn-torch", "mlp"},
    {"fastai", "mlp"},
    {"randomforest", "random-forest"},
    {"extra-trees", "extra-trees"},
    {"knn", "knn"},
};

// A channel as the S3Input of a processing job.
Result<Json> parse_input(const Arguments& channel) {
  MR_TRY(source, channel.object("DataSource"));
  MR_TRY(s3, source.object("S3DataSource"));
  MR_TRY(uri, s3.text("S3Uri"));
  if (const auto parsed = parse_s3_uri(uri); !parsed) return s3.wrong("S3Uri", parsed.error().message);
  MR_TRY(type, s3.text_or("S3DataType", "S3Prefix"));
  MR_DO(s3.one_of("S3DataType", type, "S3Prefix|ManifestFile"));
  MR_TRY(compression, channel.text_or("CompressionType", "None"));
  MR_DO(channel.one_of("CompressionType", compression, "None|Gzip|Zstd"));
  MR_TRY(content, channel.text_or("ContentType", "text/csv;header=present"));
  std::string plain;
  for (const char c : content)
    if (c != ' ') plain += c;
  if (plain != "text/csv" && plain != "text/csv;header=present")
    return channel.wrong("ContentType", "'" + content + "' is not supported", "use text/csv;header=present");
  Json input = {{"S3Uri", uri}};
  if (type != "S3Prefix") input["S3DataType"] = type;
  if (compression != "None") input["S3CompressionType"] = compression;
  return input;
}

Status parse_channels(const Arguments& request, std::string_view key, AutoMLSpec& spec) {
  MR_TRY(channels, request.list(key));
  if (channels.empty()) return request.wrong(key, "is required: one channel with the data");
  for (const Arguments& channel : channels) {
    MR_TRY(type, channel.text_or("ChannelType", "training"));
    MR_DO(channel.one_of("ChannelType", type, "training|validation"));
    Json& place = type == "training" ? spec.train_input : spec.validation_input;
    if (!place.is_null()) return channel.wrong("ChannelType", "there are two channels '" + type + "'");
    MR_TRY(input, parse_input(channel));
    place = std::move(input);
    MR_TRY(target, channel.text_or("TargetAttributeName", ""));
    if (!target.empty()) spec.target = target;
    if (channel.has("SampleWeightAttributeName"))
      return channel.wrong("SampleWeightAttributeName", "is not supported: rows count alike");
  }
  if (spec.train_input.is_null()) return request.wrong(key, "there is no channel 'training'");
  if (spec.kind == AutoMLSpec::Kind::Series && !spec.validation_input.is_null())
    return request.wrong(key, "there is a channel 'validation'",
                         "the last ForecastHorizon steps of each series are what forecasts are judged by");
  const bool plain =
      spec.train_input.size() == 1 && (spec.validation_input.is_null() || spec.validation_input.size() == 1);
  if (spec.kind == AutoMLSpec::Kind::Texts && !plain)
    return request.wrong(key, "of texts the objects below an S3Prefix are read as they are",
                         "CompressionType None, S3DataType S3Prefix");
  return {};
}

Status parse_criteria(const Arguments& config, AutoMLSpec& spec) {
  MR_TRY(criteria, config.object_or_empty("CompletionCriteria"));
  const auto positive = [&](std::string_view key, std::int64_t most, std::int64_t& out) -> Status {
    if (!criteria.has(key)) return {};
    MR_TRY(value, criteria.integer_or(key, 0));
    if (value < 1 || value > most)
      return criteria.wrong(key, "expected a number from 1 to " + std::to_string(most));
    out = value;
    return {};
  };
  std::int64_t candidates = 0;
  MR_DO(positive("MaxCandidates", kCandidatesMax, candidates));
  if (candidates > 0) spec.candidates_max = candidates;
  MR_DO(positive("MaxRuntimePerTrainingJobInSeconds", 1'000'000'000, spec.training_seconds_max));
  return positive("MaxAutoMLJobRuntimeInSeconds", 1'000'000'000, spec.job_seconds_max);
}

Status parse_algorithms(const Arguments& generation, std::span<const AlgorithmName> table, AutoMLSpec& spec) {
  MR_TRY(configs, generation.list("AlgorithmsConfig"));
  for (const Arguments& config : configs) {
    MR_TRY(names, config.texts("AutoMLAlgorithms"));
    for (const std::string& name : names) {
      const auto known = std::ranges::find(table, name, &AlgorithmName::first);
      if (known == table.end())
        return config.wrong("AutoMLAlgorithms", "'" + name + "' is not built in",
                            spec.kind == AutoMLSpec::Kind::Series
                                ? "use ets, arima or npts"
                                : "use xgboost, linear-learner, mlp, randomforest, extra-trees or knn");
      if (std::ranges::find(spec.algorithms, known->second) == spec.algorithms.end())
        spec.algorithms.emplace_back(known->second);
    }
  }
  return {};
}

// What TabularJobConfig and V1's AutoMLJobConfig have in common.
Status parse_job_config(const Arguments& config, AutoMLSpec& spec) {
  MR_TRY(mode, config.text_or("Mode", "AUTO"));
  MR_DO(config.one_of("Mode", mode, "AUTO|ENSEMBLING|HYPERPARAMETER_TUNING"));
  spec.mode = mode == "AUTO"         ? AutoMLSpec::Mode::Auto
              : mode == "ENSEMBLING" ? AutoMLSpec::Mode::Ensembling
                                     : AutoMLSpec::Mode::Tuning;
  MR_DO(parse_criteria(config, spec));
  MR_TRY(generation, config.object_or_empty("CandidateGenerationConfig"));
  MR_DO(parse_algorithms(generation, kAlgorithmNames, spec));
  const Arguments& with_features = config.has("FeatureSpecificationS3Uri") ? config : generation;
  MR_TRY(features, with_features.text_or("FeatureSpecificationS3Uri", ""));
  if (!features.empty())
    if (const auto parsed = parse_s3_uri(features); !parsed)
      return with_features.wrong("FeatureSpecificationS3Uri", parsed.error().message);
  spec.features_uri = features;
  if (config.has("SampleWeightAttributeName"))
    return config.wrong("SampleWeightAttributeName", "is not supported: rows count alike");
  MR_TRY(only, config.boolean_or("GenerateCandidateDefinitionsOnly", false));
  spec.definitions_only = spec.definitions_only || only;
  return {};
}

Status parse_texts(const Arguments& config, AutoMLSpec& spec) {
  spec.kind = AutoMLSpec::Kind::Texts;
  MR_TRY(content, config.text("ContentColumn"));
  MR_TRY(label, config.text("TargetLabelColumn"));
  if (content == label) return config.wrong("TargetLabelColumn", "is the ContentColumn: name another column");
  spec.text_column = std::move(content), spec.target = std::move(label);
  return parse_criteria(config, spec);
}

Status parse_series_columns(const Arguments& config, AutoMLSpec& spec) {
  MR_TRY(columns, config.object("TimeSeriesConfig"));
  MR_TRY(target, columns.text("TargetAttributeName"));
  MR_TRY(time, columns.text("TimestampAttributeName"));
  MR_TRY(item, columns.text("ItemIdentifierAttributeName"));
  MR_TRY(groups, columns.texts("GroupingAttributeNames"));
  constexpr std::size_t kGroupsMax = 5;
  if (groups.size() > kGroupsMax)
    return columns.wrong("GroupingAttributeNames", "expected at most " + std::to_string(kGroupsMax));
  std::vector<std::string> all = {target, time, item};
  all.insert(all.end(), groups.begin(), groups.end());
  for (std::size_t i = 0; i < all.size(); ++i)
    if (std::ranges::count(all, all[i]) > 1)
      return config.wrong("TimeSeriesConfig", "the column '" + all[i] + "' is named twice");
  spec.target = target;
  spec.forecast.grid.columns = {item, time, target};
  spec.forecast.grid.groups = std::move(groups);
  return {};
}

// Transformations.{Aggregation, Filling}, of the target alone.
Status parse_transformations(const Arguments& config, AutoMLSpec& spec) {
  MR_TRY(transformations, config.object_or_empty("Transformations"));
  MR_TRY(aggregation, transformations.text_map("Aggregation"));
  for (const auto& [column, method] : aggregation) {
    if (column != spec.target)
      return transformations.wrong("Aggregation", "'" + column + "' is not the target '" + spec.target + "'",
                                   "only the target is aggregated");
    spec.forecast.grid.aggregation = method;
  }
  MR_TRY(filling, transformations.object_or_empty("Filling"));
  for (const auto& [column, rules] : filling.json().items()) {
    if (column != spec.target)
      return transformations.wrong("Filling", "'" + column + "' is not the target '" + spec.target + "'",
                                   "forecasts are made of the target's past alone");
    MR_TRY(texts, filling.text_map(column));
    spec.forecast.grid.filling = std::move(texts);
  }
  const Status checked = check_grid_settings(spec.forecast.grid);
  return checked ? Status()
                 : Status(invalid("Transformations: " + checked.error().message, checked.error().hint));
}

Status parse_quantiles(const Arguments& config, AutoMLSpec& spec) {
  MR_TRY(quantiles, config.texts("ForecastQuantiles"));
  constexpr std::size_t kQuantilesMax = 5;
  if (quantiles.size() > kQuantilesMax)
    return config.wrong("ForecastQuantiles", "expected at most " + std::to_string(kQuantilesMax));
  if (quantiles.empty()) return {};
  spec.forecast.levels.clear();
  for (const std::string& name : quantiles) {
    const auto level = name.starts_with('p') ? parse_real(std::string_view(name).substr(1)) : std::nullopt;
    if (!level || *level < 1 || *level > 99 || *level != std::floor(*level))
      return config.wrong("ForecastQuantiles", "'" + name + "' is none of p1 to p99");
    if (std::ranges::find(spec.forecast.levels, *level / 100) != spec.forecast.levels.end())
      return config.wrong("ForecastQuantiles", "'" + name + "' is there twice");
    spec.forecast.levels.push_back(*level / 100);
  }
  std::ranges::sort(spec.forecast.levels);
  return {};
}

// "1D", "D", "15min": each unit up to what makes the next one.
Status parse_forecast_frequency(const Arguments& config, AutoMLSpec& spec) {
  MR_TRY(text, config.text("ForecastFrequency"));
  struct Unit {
    std::string_view name;
    int most;
  };
  static constexpr Unit kUnits[] = {{"min", 59}, {"H", 23}, {"D", 6}, {"W", 4}, {"M", 11}, {"Y", 1}};
  const std::size_t digits = text.find_first_not_of("0123456789");
  const std::string_view unit = std::string_view(text).substr(std::min(digits, text.size()));
  const auto known = std::ranges::find(kUnits, unit, &Unit::name);
  const double count = digits == 0 ? 1 : parse_real(std::string_view(text).substr(0, digits)).value_or(0);
  if (known == std::end(kUnits) || text.starts_with('0') || count < 1 || count > known->most ||
      (unit == "min" && digits == 0))
    return config.wrong("ForecastFrequency", "'" + text + "' is none",
                        "use 1min to 59min, 1H to 23H, 1D to 6D, 1W to 4W, 1M to 11M or 1Y");
  MR_TRY(frequency, parse_frequency(text));
  spec.forecast.frequency = text;
  spec.forecast.grid.frequency = frequency;
  return {};
}

Status parse_forecast(const Arguments& config, AutoMLSpec& spec) {
  spec.kind = AutoMLSpec::Kind::Series;
  spec.problem = Problem::Forecasting;
  MR_DO(parse_forecast_frequency(config, spec));
  if (!config.has("ForecastHorizon")) return config.wrong("ForecastHorizon", "is required");
  MR_TRY(horizon, config.integer_or("ForecastHorizon", 0));
  if (horizon < 1 || horizon > kForecastHorizonMax)
    return config.wrong("ForecastHorizon",
                        "expected a number from 1 to " + std::to_string(kForecastHorizonMax));
  spec.forecast.horizon = static_cast<int>(horizon);
  MR_DO(parse_series_columns(config, spec));
  MR_DO(parse_quantiles(config, spec));
  MR_DO(parse_transformations(config, spec));
  if (config.has("HolidayConfig"))
    return config.wrong("HolidayConfig", "is not supported: calendars of holidays are not built in",
                        "leave it out");
  if (config.has("FeatureSpecificationS3Uri"))
    return config.wrong("FeatureSpecificationS3Uri",
                        "is not supported: forecasts are made of the target's past alone", "leave it out");
  MR_TRY(generation, config.object_or_empty("CandidateGenerationConfig"));
  MR_DO(parse_algorithms(generation, kSeriesAlgorithms, spec));
  return parse_criteria(config, spec);
}

Status parse_problem(const Arguments& holder, AutoMLSpec& spec) {
  MR_TRY(problem, holder.text_or("ProblemType", ""));
  if (problem.empty()) return {};
  MR_DO(holder.one_of("ProblemType", problem, "BinaryClassification|MulticlassClassification|Regression"));
  for (const Problem one : {Problem::Binary, Problem::Classes, Problem::Regression})
    if (problem == problem_name(one)) spec.problem = one;
  return {};
}

struct ProblemConfig {
  std::string_view name;
  Status (*parse)(const Arguments& config, AutoMLSpec& spec);
  std::string_view why_not = {};
};

Status parse_tabular(const Arguments& tabular, AutoMLSpec& spec) {
  MR_TRY(target, tabular.text("TargetAttributeName"));
  spec.target = target;
  MR_DO(parse_problem(tabular, spec));
  return parse_job_config(tabular, spec);
}

constexpr ProblemConfig kProblemConfigs[] = {
    {"TabularJobConfig", parse_tabular},
    {"TextClassificationJobConfig", parse_texts},
    {"TimeSeriesForecastingJobConfig", parse_forecast},
    {"ImageClassificationJobConfig", nullptr, "is not supported: there are no models of images here"},
    {"TextGenerationJobConfig", nullptr, "is not supported: there are no models that write texts here"},
};

Status parse_v2(const Arguments& request, AutoMLSpec& spec) {
  MR_TRY(problems, request.object("AutoMLProblemTypeConfig"));
  const ProblemConfig* asked = nullptr;
  for (const ProblemConfig& one : kProblemConfigs) {
    if (!problems.has(one.name)) continue;
    if (asked != nullptr)
      return request.wrong("AutoMLProblemTypeConfig", "has " + std::string(asked->name) + " and " +
                                                          std::string(one.name) + ": expected one of them");
    asked = &one;
  }
  constexpr const char* kRemedy =
      "use TabularJobConfig, TextClassificationJobConfig or TimeSeriesForecastingJobConfig";
  if (asked == nullptr)
    return request.wrong("AutoMLProblemTypeConfig", "says no problem type that is known here", kRemedy);
  if (asked->parse == nullptr) return problems.wrong(asked->name, std::string(asked->why_not), kRemedy);
  MR_TRY(config, problems.object(asked->name));
  MR_DO(asked->parse(config, spec));
  return parse_channels(request, "AutoMLJobInputDataConfig", spec);
}

Status parse_v1(const Arguments& request, AutoMLSpec& spec) {
  MR_DO(parse_channels(request, "InputDataConfig", spec));
  if (spec.target.empty())
    return request.wrong("InputDataConfig", "TargetAttributeName is required: the column to predict");
  MR_DO(parse_problem(request, spec));
  MR_TRY(only, request.boolean_or("GenerateCandidateDefinitionsOnly", false));
  spec.definitions_only = only;
  MR_TRY(config, request.object_or_empty("AutoMLJobConfig"));
  return parse_job_config(config, spec);
}

// ModelDeployConfig: a name is given, or made.
Status parse_deployment(const Arguments& request, AutoMLSpec& spec) {
  if (!request.has("ModelDeployConfig")) return {};
  MR_TRY(config, request.object("ModelDeployConfig"));
  MR_TRY(made, config.boolean_or("AutoGenerateEndpointName", false));
  MR_TRY(name, config.text_or("EndpointName", ""));
  if (made == !name.empty())
    return config.wrong("EndpointName", made ? "is given though AutoGenerateEndpointName is true"
                                             : "is required where AutoGenerateEndpointName is false");
  if (!made) MR_DO(check_name("ModelDeployConfig.EndpointName", name));
  if (spec.definitions_only)
    return request.wrong("ModelDeployConfig", "there is no model with GenerateCandidateDefinitionsOnly");
  spec.deploy = true, spec.endpoint_name = std::move(name);
  return {};
}

}  // namespace

std::string AutoMLSpec::place() const {
  return join_uri(output_uri, job_name + "/");
}

Result<AutoMLSpec> parse_automl_spec(const Json& json) {
  const Arguments request(json);
  AutoMLSpec spec;
  MR_TRY(name, request.text("AutoMLJobName"));
  spec.job_name = name;
  if (request.has("AutoMLProblemTypeConfig") || request.has("AutoMLJobInputDataConfig"))
    MR_DO(parse_v2(request, spec));
  else
    MR_DO(parse_v1(request, spec));
  MR_TRY(output, request.object("OutputDataConfig"));
  MR_TRY(path, output.text("S3OutputPath"));
  if (const auto parsed = parse_s3_uri(path); !parsed)
    return output.wrong("S3OutputPath", parsed.error().message);
  spec.output_uri = path;
  MR_TRY(objective, request.object_or_empty("AutoMLJobObjective"));
  MR_TRY(metric, objective.text_or("MetricName", ""));
  spec.objective = metric;
  if (!metric.empty() &&
      std::ranges::none_of(kObjectives, [&](const TableObjective& row) { return row.metric.name == metric; }))
    return objective.wrong("MetricName", "'" + metric + "' is not an objective");
  if (spec.problem && !metric.empty()) MR_DO(objective_for(metric, *spec.problem));
  MR_TRY(job_config, request.object_or_empty("AutoMLJobConfig"));
  const Arguments& with_split = request.has("DataSplitConfig") ? request : job_config;
  MR_TRY(split, with_split.object_or_empty("DataSplitConfig"));
  MR_TRY(fraction, split.real_or("ValidationFraction", 0.2));
  if (!(fraction > 0 && fraction < 1))
    return split.wrong("ValidationFraction", "expected a number between 0 and 1");
  spec.validation_fraction = fraction;
  spec.fraction_given = split.has("ValidationFraction");
  MR_DO(parse_deployment(request, spec));
  MR_TRY(seed, request.integer_or("RandomSeed", 0));
  if (seed < 0) return request.wrong("RandomSeed", "expected a number of at least 0");
  spec.seed = static_cast<std::uint64_t>(seed);
  return spec;
}

Result<ObjectiveMetric> objective_for(const std::string& name, Problem problem) {
  std::string known;
  for (const TableObjective& row : kObjectives) {
    if (row.problem != problem) continue;
    if (name.empty() || row.metric.name == name) return row.metric;
    known += (known.empty() ? "" : ", ") + std::string(row.metric.name);
  }
  return invalid("AutoMLJobObjective.MetricName: '" + name + "' is not an objective of a " +
                     std::string(problem_name(problem)),
                 "it has " + known);
}

std::string standard_metric_name(Problem problem, std::string_view metric) {
  for (const TableObjective& row : kObjectives)
    if (row.problem == problem && row.metric.metric == metric) return std::string(row.metric.name);
  return std::string(metric.substr(metric.rfind(':') + 1));
}

}  // namespace millrace::tasks
