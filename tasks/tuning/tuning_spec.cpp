#include "tasks/tuning/tuning_spec.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/training_spec.h"
#include "tasks/tuning/trial.h"

namespace millrace::tasks {

namespace {

constexpr const char* kConfig = "HyperParameterTuningJobConfig";
const std::string kObjectiveMetric =
    "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective.MetricName: ";

Status parse_objective(const Arguments& config, TuningSpec& spec) {
  MR_TRY(objective, config.object("HyperParameterTuningJobObjective"));
  MR_TRY(type, objective.text("Type"));
  MR_DO(objective.one_of("Type", type, "Maximize|Minimize"));
  MR_TRY(metric, objective.text("MetricName"));
  spec.maximize = type == "Maximize", spec.metric = metric;
  return {};
}

Status parse_limits(const Arguments& config, TuningSpec& spec) {
  MR_TRY(limits, config.object_or_empty("ResourceLimits"));
  const bool grid = spec.strategy == TuningSpec::Strategy::Grid;
  const double all = grid ? grid_size(spec.space) : 0;
  if (!grid && !limits.has("MaxNumberOfTrainingJobs"))
    return limits.wrong("MaxNumberOfTrainingJobs", "is required");
  MR_TRY(trials,
         limits.integer_or("MaxNumberOfTrainingJobs", all <= 10000 ? static_cast<std::int64_t>(all) : 0));
  MR_TRY(parallel, limits.integer_or("MaxParallelTrainingJobs", 1));
  if (trials < 1 || trials > 10000)
    return limits.wrong("MaxNumberOfTrainingJobs", "expected a number from 1 to 10000");
  if (parallel < 1 || parallel > 100)
    return limits.wrong("MaxParallelTrainingJobs", "expected a number from 1 to 100");
  MR_TRY(runtime_s, limits.integer_or("MaxRuntimeInSeconds", 0));
  if (limits.has("MaxRuntimeInSeconds") && runtime_s < 1)
    return limits.wrong("MaxRuntimeInSeconds", "must be at least 1");
  spec.runtime_max_s = runtime_s;
  spec.trials_max = grid && all < static_cast<double>(trials) ? static_cast<std::int64_t>(all) : trials;
  spec.parallel_max = std::min(parallel, spec.trials_max);
  return {};
}

Status parse_strategy(const Arguments& config, TuningSpec& spec) {
  MR_TRY(strategy, config.text_or("Strategy", "Bayesian"));
  MR_DO(config.one_of("Strategy", strategy, "Bayesian|Random|Grid|Hyperband"));
  if (strategy == "Random") spec.strategy = TuningSpec::Strategy::Random;
  if (strategy == "Hyperband") spec.strategy = TuningSpec::Strategy::Hyperband;
  MR_TRY(settings, config.object_or_empty("StrategyConfig"));
  MR_TRY(bayesian, settings.object_or_empty("BayesianStrategyConfig"));
  if (settings.has("BayesianStrategyConfig") && strategy != "Bayesian")
    return settings.wrong("BayesianStrategyConfig", "is for Strategy Bayesian");
  MR_TRY(surrogate, bayesian.text_or("Surrogate", "TPE"));
  MR_DO(bayesian.one_of("Surrogate", surrogate, "TPE|GaussianProcess"));
  if (surrogate == "GaussianProcess") spec.surrogate = TuningSpec::Surrogate::GaussianProcess;
  if (strategy != "Grid") return {};
  spec.strategy = TuningSpec::Strategy::Grid;
  for (const ParameterRange& range : spec.space) {
    if (range.parent)
      return config.wrong("Strategy",
                          "Grid takes no conditional ranges: '" + range.name + "' has a Condition",
                          "take Bayesian, Random or Hyperband");
    if (range.kind != ParameterRange::Kind::Continuous) continue;
    return config.wrong("Strategy",
                        "Grid has no finite number of values for the continuous range '" + range.name + "'",
                        "give its values as a categorical range");
  }
  return {};
}

// When no new trials begin although there could be more.
Status parse_completion(const Arguments& config, TuningSpec& spec) {
  MR_TRY(criteria, config.object_or_empty("TuningJobCompletionCriteria"));
  if (criteria.has("TargetObjectiveMetricValue")) {
    MR_TRY(target, criteria.real_or("TargetObjectiveMetricValue", 0));
    spec.target_value = target;
  }
  constexpr const char* kNotImproving = "MaxNumberOfTrainingJobsNotImproving";
  MR_TRY(improving, criteria.object_or_empty("BestObjectiveNotImproving"));
  MR_TRY(most, improving.integer_or(kNotImproving, 0));
  if (improving.has(kNotImproving) && most < 3) return improving.wrong(kNotImproving, "must be at least 3");
  spec.not_improving_max = most;
  MR_TRY(converged, criteria.object_or_empty("ConvergenceDetected"));
  MR_TRY(complete, converged.text_or("CompleteOnConvergence", "Disabled"));
  if (complete != "Disabled")
    return converged.wrong("CompleteOnConvergence", "expected Disabled: convergence is not looked for",
                           "BestObjectiveNotImproving ends a search that gets no better");
  return {};
}

Status parse_config(const Arguments& config, TuningSpec& spec) {
  MR_TRY(ranges, config.object("ParameterRanges"));
  MR_TRY(automatic, ranges.list("AutoParameters"));
  if (!automatic.empty())
    return ranges.wrong("AutoParameters", "is not supported", "give each hyperparameter a range");
  MR_TRY(space, parse_search_space(ranges.json(), ranges.path()));
  spec.space = std::move(space);
  MR_DO(parse_strategy(config, spec));
  MR_DO(parse_objective(config, spec));
  MR_DO(parse_limits(config, spec));
  MR_TRY(stopping, config.text_or("TrainingJobEarlyStoppingType", "Off"));
  MR_DO(config.one_of("TrainingJobEarlyStoppingType", stopping, "Off|Auto"));
  spec.stop_early = stopping == "Auto";
  if (spec.stop_early && spec.strategy == TuningSpec::Strategy::Hyperband)
    return config.wrong("TrainingJobEarlyStoppingType",
                        "Hyperband stops trials by rules of its own: expected Off");
  MR_DO(parse_completion(config, spec));
  MR_TRY(seed, config.integer_or("RandomSeed", 0));
  if (seed < 0) return config.wrong("RandomSeed", "expected a number of at least 0");
  spec.seed = static_cast<std::uint64_t>(seed);
  return {};
}

// The hyperparameters that say how long a trial is, as SageMaker knows them.
constexpr const char* kResourceNames[] = {"num_round", "epochs",   "numepochs",
                                          "n-epochs",  "n_epochs", "num_epochs"};

Status parse_halving(const Arguments& config, TuningSpec& spec) {
  MR_TRY(strategy, config.object_or_empty("StrategyConfig"));
  MR_TRY(hyperband, strategy.object_or_empty("HyperbandStrategyConfig"));
  if (spec.strategy != TuningSpec::Strategy::Hyperband) {
    if (strategy.has("HyperbandStrategyConfig"))
      return strategy.wrong("HyperbandStrategyConfig", "is for Strategy Hyperband");
    return {};
  }
  std::int64_t known = 0;
  for (const char* name : kResourceNames) {
    const auto found = spec.static_parameters.find(name);
    const auto value = found == spec.static_parameters.end() ? std::nullopt : parse_real(found->second);
    if (known == 0 && value && *value >= 1 && *value <= 1e9) known = static_cast<std::int64_t>(*value);
  }
  if (known == 0 && !hyperband.has("MaxResource")) {
    return hyperband.wrong("MaxResource",
                           "is required: no static hyperparameter says how many rounds or epochs there are",
                           "give it, or num_round or epochs in StaticHyperParameters");
  }
  MR_TRY(most, hyperband.integer_or("MaxResource", known));
  MR_TRY(least, hyperband.integer_or("MinResource", 1));
  if (most < 1 || most > 20'000) return hyperband.wrong("MaxResource", "expected a number from 1 to 20000");
  if (least < 1 || least > most)
    return hyperband.wrong("MinResource", "expected a number from 1 to MaxResource, " + std::to_string(most));
  spec.halving = {least, most, known == 0 || known > most};
  return {};
}

Status parse_warm_start(const Arguments& request, TuningSpec& spec) {
  if (!request.has("WarmStartConfig")) return {};
  MR_TRY(warm, request.object("WarmStartConfig"));
  MR_TRY(type, warm.text("WarmStartType"));
  MR_DO(warm.one_of("WarmStartType", type, "IdenticalDataAndAlgorithm|TransferLearning"));
  spec.identical = type == "IdenticalDataAndAlgorithm";
  MR_TRY(parents, warm.list("ParentHyperParameterTuningJobs"));
  if (parents.empty() || parents.size() > 5)
    return warm.wrong("ParentHyperParameterTuningJobs", "expected one to five tuning jobs");
  for (const Arguments& parent : parents) {
    MR_TRY(name, parent.text("HyperParameterTuningJobName"));
    if (name == spec.job_name)
      return parent.wrong("HyperParameterTuningJobName", "is the name of this very job");
    spec.parents.push_back(name);
  }
  if (spec.strategy == TuningSpec::Strategy::Grid)
    return request.wrong("WarmStartConfig", "Grid learns nothing from other trials: leave it out");
  return {};
}

// The library computes the objective only when it is among its metrics.
Status complete_eval_metric(const EstimatorKind& kind, TuningSpec& spec) {
  const std::string name = spec.metric.substr(spec.metric.rfind(':') + 1);
  if (kind.name != "xgboost") return {};
  const auto [entry, added] = spec.static_parameters.try_emplace("eval_metric", name);
  std::string rest = "," + entry->second + ",";
  std::erase(rest, ' ');
  if (rest.find("," + name + ",") != std::string::npos) return {};
  return invalid("TrainingJobDefinition.StaticHyperParameters.eval_metric: '" + entry->second +
                 "' does not hold the objective '" + name + "'");
}

// The first or the last value of every range, in the branch of the space in which one of them is there.
Point end_point(const SearchSpace& space, bool last, std::size_t there) {
  Point point(space.size(), kAbsent);
  std::vector<std::optional<double>> wanted(space.size());
  for (std::size_t i = there; space[i].parent; i = *space[i].parent)
    wanted[*space[i].parent] = static_cast<double>(space[i].when.front());
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (!present(space, point, i)) continue;
    const double end = space[i].categorical() ? static_cast<double>(space[i].values.size() - 1) : 1;
    point[i] = wanted[i].value_or(last ? end : 0);
  }
  return point;
}

// With a built-in algorithm the first and the last value of every range must make a valid training job.
Status check_built_in(TuningSpec& spec) {
  const Json& algorithm = spec.definition.value("AlgorithmSpecification", Json::object());
  const std::string image =
      algorithm.is_object() && algorithm.contains("TrainingImage") && algorithm["TrainingImage"].is_string()
          ? algorithm["TrainingImage"].get<std::string>()
          : "";
  const EstimatorKind* kind = find_estimator(image);
  if (kind == nullptr) return {};  // a program of the user's
  if (std::ranges::find(kind->metrics, spec.metric) == kind->metrics.end()) {
    std::string known;
    for (const std::string_view metric : kind->metrics)
      known += (known.empty() ? "" : ", ") + std::string(metric);
    return invalid(kObjectiveMetric + std::string(kind->name) + " has no metric '" + spec.metric + "'",
                   "it has " + known);
  }
  MR_DO(complete_eval_metric(*kind, spec));
  for (std::size_t with = 0; with < spec.space.size(); ++with) {
    if (with > 0 && !spec.space[with].parent) continue;  // the first one stands for all without a condition
    for (const bool last : {false, true}) {
      Trial trial;
      trial.parameters = values_of(spec.space, end_point(spec.space, last, with));
      trial.job_name = spec.job_name;
      if (const auto checked = parse_training_spec(trial_request(spec, trial)); !checked) {
        return invalid("TrainingJobDefinition: " + checked.error().message, checked.error().hint);
      }
    }
  }
  return {};
}

}  // namespace

std::string TuningSpec::results_uri() const {
  return join_uri(output_uri, job_name + "/tuning/");
}

Result<TuningSpec> parse_tuning_spec(const Json& request) {
  const Arguments arguments(request);
  TuningSpec spec;
  MR_TRY(name, arguments.text("HyperParameterTuningJobName"));
  spec.job_name = name;
  if (name.size() > 32) return arguments.wrong("HyperParameterTuningJobName", "is longer than 32 characters");
  if (arguments.has("TrainingJobDefinitions"))
    return arguments.wrong("TrainingJobDefinitions", "is not supported");
  MR_TRY(autotune, arguments.object_or_empty("Autotune"));
  if (autotune.has("Mode")) return autotune.wrong("Mode", "Autotune is not supported: leave it out");
  MR_TRY(config, arguments.object(kConfig));
  MR_DO(parse_config(config, spec));
  MR_TRY(definition, arguments.object("TrainingJobDefinition"));
  MR_TRY(parameters, definition.text_map("StaticHyperParameters"));
  spec.static_parameters = std::move(parameters);
  MR_DO(parse_halving(config, spec));
  MR_DO(parse_warm_start(arguments, spec));
  for (const ParameterRange& range : spec.space) {
    if (!spec.static_parameters.contains(range.name)) continue;
    return definition.wrong("StaticHyperParameters", "'" + range.name + "' is static and has a range");
  }
  MR_TRY(output, definition.object("OutputDataConfig"));
  MR_TRY(path, output.text("S3OutputPath"));
  if (const auto parsed = parse_s3_uri(path); !parsed)
    return output.wrong("S3OutputPath", parsed.error().message);
  spec.output_uri = path;
  spec.definition = definition.json();
  MR_DO(check_built_in(spec));
  return spec;
}

}  // namespace millrace::tasks
