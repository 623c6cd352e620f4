#include "tasks/automl/automl_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/training/ensemble/ensemble.h"
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
};

// SageMaker's names of algorithms and ours; those we have nothing of are not in the table.
constexpr std::pair<std::string_view, std::string_view> kAlgorithmNames[] = {
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

Status parse_algorithms(const Arguments& generation, AutoMLSpec& spec) {
  MR_TRY(configs, generation.list("AlgorithmsConfig"));
  for (const Arguments& config : configs) {
    MR_TRY(names, config.texts("AutoMLAlgorithms"));
    for (const std::string& name : names) {
      const auto known =
          std::ranges::find(kAlgorithmNames, name, &std::pair<std::string_view, std::string_view>::first);
      if (known == std::end(kAlgorithmNames))
        return config.wrong("AutoMLAlgorithms", "'" + name + "' is not built in",
                            "use xgboost, linear-learner, mlp, randomforest, extra-trees or knn");
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
  MR_DO(parse_algorithms(generation, spec));
  const Arguments& with_features = config.has("FeatureSpecificationS3Uri") ? config : generation;
  MR_TRY(features, with_features.text_or("FeatureSpecificationS3Uri", ""));
  if (!features.empty())
    if (const auto parsed = parse_s3_uri(features); !parsed)
      return with_features.wrong("FeatureSpecificationS3Uri", parsed.error().message);
  spec.features_uri = features;
  if (config.has("SampleWeightAttributeName"))
    return config.wrong("SampleWeightAttributeName", "is not supported: rows count alike");
  MR_TRY(only, config.boolean_or("GenerateCandidateDefinitionsOnly", false));
  if (only)
    return config.wrong("GenerateCandidateDefinitionsOnly", "is not supported: candidates are trained");
  return {};
}

Status parse_problem(const Arguments& holder, AutoMLSpec& spec) {
  MR_TRY(problem, holder.text_or("ProblemType", ""));
  if (problem.empty()) return {};
  MR_DO(holder.one_of("ProblemType", problem, "BinaryClassification|MulticlassClassification|Regression"));
  for (const Problem one : {Problem::Binary, Problem::Classes, Problem::Regression})
    if (problem == problem_name(one)) spec.problem = one;
  return {};
}

Status parse_v2(const Arguments& request, AutoMLSpec& spec) {
  MR_DO(parse_channels(request, "AutoMLJobInputDataConfig", spec));
  MR_TRY(problems, request.object("AutoMLProblemTypeConfig"));
  for (const auto& [key, instead] : {std::pair("TextClassificationJobConfig", "blazingtext"),
                                     {"TimeSeriesForecastingJobConfig", "forecasting"},
                                     {"ImageClassificationJobConfig", ""},
                                     {"TextGenerationJobConfig", ""}}) {
    if (!problems.has(key)) continue;
    const std::string name(instead);
    return problems.wrong(key, "is not supported: tables are (TabularJobConfig)",
                          name.empty() ? "" : "train the algorithm " + name + ", perhaps in a tuning job");
  }
  MR_TRY(tabular, problems.object("TabularJobConfig"));
  MR_TRY(target, tabular.text("TargetAttributeName"));
  spec.target = target;
  MR_DO(parse_problem(tabular, spec));
  return parse_job_config(tabular, spec);
}

Status parse_v1(const Arguments& request, AutoMLSpec& spec) {
  MR_DO(parse_channels(request, "InputDataConfig", spec));
  if (spec.target.empty())
    return request.wrong("InputDataConfig", "TargetAttributeName is required: the column to predict");
  MR_DO(parse_problem(request, spec));
  MR_TRY(only, request.boolean_or("GenerateCandidateDefinitionsOnly", false));
  if (only)
    return request.wrong("GenerateCandidateDefinitionsOnly", "is not supported: candidates are trained");
  MR_TRY(config, request.object_or_empty("AutoMLJobConfig"));
  return parse_job_config(config, spec);
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
    return objective.wrong("MetricName", "'" + metric + "' is not an objective of tables");
  if (spec.problem && !metric.empty()) MR_DO(objective_for(metric, *spec.problem));
  MR_TRY(job_config, request.object_or_empty("AutoMLJobConfig"));
  const Arguments& with_split = request.has("DataSplitConfig") ? request : job_config;
  MR_TRY(split, with_split.object_or_empty("DataSplitConfig"));
  MR_TRY(fraction, split.real_or("ValidationFraction", 0.2));
  if (!(fraction > 0 && fraction < 1))
    return split.wrong("ValidationFraction", "expected a number between 0 and 1");
  spec.validation_fraction = fraction;
  if (request.has("ModelDeployConfig"))
    return request.wrong("ModelDeployConfig", "is not supported",
                         "create a model of BestCandidate.InferenceContainers, and an endpoint");
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

}  // namespace millrace::tasks
