#include "tasks/tuning/tune.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tasks/table/csv.h"
#include "tasks/tuning/results.h"
#include "tests/tasks/support/fake_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json tuning_request() {
  return Json::parse(R"({
    "HyperParameterTuningJobName": "search",
    "HyperParameterTuningJobConfig": {
      "Strategy": "Bayesian",
      "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:logloss"},
      "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 3},
      "ParameterRanges": {
        "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "10"}],
        "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.01", "MaxValue": "0.9"}],
        "CategoricalParameterRanges": [{"Name": "grow_policy", "Values": ["depthwise", "lossguide"]}]},
      "RandomSeed": 4},
    "TrainingJobDefinition": {
      "AlgorithmSpecification": {"TrainingImage": "xgboost"},
      "StaticHyperParameters": {"num_round": "5", "objective": "binary:logistic"},
      "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train/"}}},
                          {"ChannelName": "validation", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/validation/"}}}],
      "OutputDataConfig": {"S3OutputPath": "s3://b/out"}}})");
}

TuningSpec spec_of(const Json& json) {
  auto spec = parse_tuning_spec(json);
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  return *spec;
}

std::string tuning_refusal(const std::function<void(Json&)>& change) {
  Json json = tuning_request();
  change(json);
  const auto spec = parse_tuning_spec(json);
  return spec ? "accepted" : spec.error().message;
}

// A trial of five rounds that falls towards its final value.
Result<TrialOutcome> run_formula(const Trial& trial, const Json&, const TrainHooks& hooks) {
  const double depth = std::stod(trial.parameters.at("max_depth")),
               eta = std::stod(trial.parameters.at("eta"));
  const double value = 0.1 + std::pow(depth - 6, 2) / 50 + std::pow(std::log(eta / 0.1), 2);
  TrialOutcome outcome;
  for (int round = 0; round < 5; ++round) {
    const MetricPoint point{"validation:logloss", value * (1 + std::exp(-round)), round};
    hooks.metric(point);
    outcome.metrics["validation:logloss"] = point.value;
    if (hooks.stop_early(point)) {
      outcome.status = TrialStatus::Stopped;
      break;
    }
  }
  return outcome;
}

std::vector<HyperParameters> parameters_of(const TuningResult& result) {
  std::vector<HyperParameters> all;
  for (const TrialRecord& record : result.trials) all.push_back(record.trial.parameters);
  return all;
}

}  // namespace

TEST_CASE("tuning spec: reads SageMaker's request, and makes training requests of it") {
  const TuningSpec spec = spec_of(tuning_request());
  CHECK(spec.metric == "validation:logloss");
  CHECK(!spec.maximize);
  CHECK(spec.trials_max == 20);
  CHECK(spec.parallel_max == 3);
  CHECK(spec.space.size() == 3);
  CHECK(spec.seed == 4);
  CHECK(spec.results_uri() == "s3://b/out/search/tuning/");
  const Json trial = trial_request(spec, {1, "search-001", {{"eta", "0.5"}}});
  CHECK(trial["TrainingJobName"] == "search-001");
  CHECK(trial["HyperParameters"] ==
        Json::parse(
            R"({"eta": "0.5", "eval_metric": "logloss", "num_round": "5", "objective": "binary:logistic"})"));
  CHECK(!trial.contains("StaticHyperParameters"));
  CHECK(trial["InputDataConfig"].size() == 2);
}

TEST_CASE("tuning spec: errors name the field") {
  const std::string config = "HyperParameterTuningJobConfig";
  const auto at = [&](Json& j) -> Json& { return j["HyperParameterTuningJobConfig"]; };
  CHECK(tuning_refusal([](Json& j) { j["HyperParameterTuningJobName"] = std::string(33, 'x'); }) ==
        "HyperParameterTuningJobName: is longer than 32 characters");
  CHECK(tuning_refusal([&](Json& j) { at(j)["Strategy"] = "Luck"; }).starts_with(config + ".Strategy"));
  CHECK(tuning_refusal([&](Json& j) { at(j)["Strategy"] = "Hyperband"; }) == "accepted");
  CHECK(tuning_refusal([&](Json& j) {
          at(j)["Strategy"] = "Hyperband";
          at(j)["TrainingJobEarlyStoppingType"] = "Auto";
        }).starts_with(config + ".TrainingJobEarlyStoppingType: Hyperband stops trials"));
  CHECK(
      tuning_refusal([&](Json& j) {
        at(j)["Strategy"] = "Hyperband";
        at(j)["StrategyConfig"]["HyperbandStrategyConfig"]["MinResource"] = 6;
      }) ==
      config +
          ".StrategyConfig.HyperbandStrategyConfig.MinResource: expected a number from 1 to MaxResource, 5");
  CHECK(tuning_refusal([&](Json& j) { at(j)["Strategy"] = "Grid"; }) ==
        config + ".Strategy: Grid has no finite number of values for the continuous range 'eta'");
  CHECK(tuning_refusal(
            [&](Json& j) { at(j)["HyperParameterTuningJobObjective"]["MetricName"] = "validation:luck"; }) ==
        config + ".HyperParameterTuningJobObjective.MetricName: xgboost has no metric 'validation:luck'");
  CHECK(tuning_refusal([&](Json& j) { at(j)["ResourceLimits"].erase("MaxNumberOfTrainingJobs"); }) ==
        config + ".ResourceLimits.MaxNumberOfTrainingJobs: is required");
  CHECK(tuning_refusal(
            [&](Json& j) { at(j)["ParameterRanges"]["ContinuousParameterRanges"][0]["Name"] = "etta"; }) ==
        "TrainingJobDefinition: HyperParameters: hyperparameter 'etta' is not one of xgboost's: did you mean "
        "'eta'?");
  CHECK(tuning_refusal(
            [&](Json& j) { at(j)["ParameterRanges"]["ContinuousParameterRanges"][0]["MaxValue"] = "2"; }) ==
        "TrainingJobDefinition: HyperParameters: hyperparameter 'eta' is '2': expected a number from 0 to 1");
  CHECK(tuning_refusal([](Json& j) { j["TrainingJobDefinition"]["StaticHyperParameters"]["eta"] = "0.1"; }) ==
        "TrainingJobDefinition.StaticHyperParameters: 'eta' is static and has a range");
  CHECK(
      tuning_refusal(
          [](Json& j) { j["TrainingJobDefinition"]["StaticHyperParameters"]["eval_metric"] = "auc"; }) ==
      "TrainingJobDefinition.StaticHyperParameters.eval_metric: 'auc' does not hold the objective 'logloss'");
  // What would be passed over silently is refused.
  CHECK(tuning_refusal([&](Json& j) {
          at(j)["ParameterRanges"]["AutoParameters"] = {{{"Name", "eta"}, {"ValueHint", "0.1"}}};
        }) == config + ".ParameterRanges.AutoParameters: is not supported");
  CHECK(tuning_refusal([](Json& j) {
          j["Autotune"] = {{"Mode", "Enabled"}};
        }) == "Autotune.Mode: Autotune is not supported: leave it out");
  CHECK(tuning_refusal([&](Json& j) {
          at(j)["TuningJobCompletionCriteria"]["ConvergenceDetected"]["CompleteOnConvergence"] = "Enabled";
        }).starts_with(config + ".TuningJobCompletionCriteria.ConvergenceDetected.CompleteOnConvergence: "));
  CHECK(tuning_refusal([](Json& j) { j["WarmStartConfig"] = Json::object(); }) ==
        "WarmStartConfig.WarmStartType is required");
}

TEST_CASE("run_tuning: finds a good trial, repeats itself whatever the timing, writes its results") {
  const TuningSpec spec = spec_of(tuning_request());
  FakeContext context;
  const auto result = run_tuning(spec, {}, run_formula, context);
  REQUIRE(result.has_value());
  CHECK(result->trials.size() == 20);
  REQUIRE(result->best.has_value());
  CHECK(result->trials[*result->best].outcome.metrics.at("validation:logloss") < 0.6);
  std::set<std::string> names;
  for (const TrialRecord& record : result->trials) {
    names.insert(record.trial.job_name);
    CHECK(record.curve.size() == 5);
  }
  CHECK(names.size() == 20);
  CHECK(result->trials[0].trial.job_name.starts_with("search-001-"));

  // Slow ones in between: the order in which trials end changes, the trials do not.
  FakeContext other;
  const auto again = run_tuning(
      spec, {},
      [](const Trial& trial, const Json& json, const TrainHooks& hooks) {
        if (trial.number % 3 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(3));
        return run_formula(trial, json, hooks);
      },
      other);
  REQUIRE(again.has_value());
  CHECK(parameters_of(*again) == parameters_of(*result));

  const auto table = parse_csv(*context.objects().read(result->results_uri + "trials.csv"), "trials.csv");
  REQUIRE(table.has_value());
  CHECK(table->rows == 20);
  CHECK(table->names() == std::vector<std::string>{"trial", "training_job", "status", "rank",
                                                   "validation:logloss", "max_depth", "eta", "grow_policy"});
  CHECK(table->find("rank")->numbers[*result->best] == 1);
  const Json list = Json::parse(*context.objects().read(result->results_uri + "trials.json"));
  CHECK(list.size() == 20);
  CHECK(list[0]["TrainingJobName"] == result->trials[*result->best].trial.job_name);
  for (const char* name : {"best_so_far.svg", "eta.svg", "max_depth.svg", "grow_policy.svg"}) {
    const auto svg = context.objects().read(result->results_uri + name);
    REQUIRE(svg.has_value());
    CHECK(svg->find("<svg") != std::string::npos);
  }
}

TEST_CASE("run_tuning: charts and the page, with a Gaussian process and a conditional range") {
  Json json = tuning_request();
  Json& config = json["HyperParameterTuningJobConfig"];
  config["StrategyConfig"]["BayesianStrategyConfig"]["Surrogate"] = "GaussianProcess";
  config["ParameterRanges"]["IntegerParameterRanges"].push_back(
      {{"Name", "max_leaves"},
       {"MinValue", "4"},
       {"MaxValue", "64"},
       {"Condition", {{"Name", "grow_policy"}, {"Values", {"lossguide"}}}}});
  FakeContext context;
  const auto result = run_tuning(spec_of(json), {}, run_formula, context);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  std::size_t with = 0;
  for (const HyperParameters& p : parameters_of(*result)) {
    CHECK(p.contains("max_leaves") == (p.at("grow_policy") == "lossguide"));
    with += p.contains("max_leaves");
  }
  CHECK((with > 0 && with < 20));
  const Json charts = Json::parse(*context.objects().read(result->results_uri + "charts.json"));
  CHECK(charts["objective"]["name"] == "validation:logloss");
  REQUIRE(charts["importance"].size() == 4);
  CHECK(charts["importance"][0]["name"] != "grow_policy");  // it changes nothing
  CHECK(charts["best_so_far"].size() == 20);
  CHECK(charts["scatter"].size() == 4);
  CHECK(charts["parallel"]["axes"].size() == 4);
  CHECK(charts["parallel"]["lines"].size() == 20);
  for (std::size_t i = 0; i < 4; ++i) {
    if (charts["scatter"][i]["name"] == "max_leaves") CHECK(charts["scatter"][i]["points"].size() == with);
  }
  const auto page = context.objects().read(result->results_uri + "report.html");
  REQUIRE(page.has_value());
  for (const char* text : {"Leaderboard", "What mattered", "max_leaves", "data:image/svg+xml"})
    CHECK(page->find(text) != std::string::npos);
  const auto chart = context.objects().read(result->results_uri + "parallel_coordinates.svg");
  REQUIRE(chart.has_value());
  CHECK(chart->find("<polyline") != std::string::npos);
  CHECK(chart->find("0000") == std::string::npos);  // ends of an axis are told as people write them
  CHECK(chart->find("9999") == std::string::npos);

  CHECK(tuning_refusal([](Json& j) {
          j["HyperParameterTuningJobConfig"]["StrategyConfig"]["BayesianStrategyConfig"]["Surrogate"] =
              "Tarot";
        }).starts_with("HyperParameterTuningJobConfig.StrategyConfig.BayesianStrategyConfig.Surrogate"));
  CHECK(tuning_refusal([&](Json& j) {
          j = json;
          j["HyperParameterTuningJobConfig"]["Strategy"] = "Random";
        }).starts_with("HyperParameterTuningJobConfig.StrategyConfig.BayesianStrategyConfig: is for"));
  // What a condition guards is checked too.
  CHECK(tuning_refusal([&](Json& j) {
          j = json;
          j["HyperParameterTuningJobConfig"]["ParameterRanges"]["IntegerParameterRanges"][1]["MinValue"] =
              "-3";
        }).find("max_leaves") != std::string::npos);
}

TEST_CASE("run_tuning: finished trials of an earlier run are not run again") {
  const TuningSpec spec = spec_of(tuning_request());
  FakeContext context;
  const auto whole = run_tuning(spec, {}, run_formula, context);
  REQUIRE(whole.has_value());
  std::vector<TrialRecord> finished(whole->trials.begin(), whole->trials.begin() + 12);
  finished.push_back(whole->trials[15]);
  std::mutex mutex;
  std::set<std::int64_t> run;
  const auto resumed = run_tuning(
      spec, finished,
      [&](const Trial& trial, const Json& json, const TrainHooks& hooks) {
        {
          const std::lock_guard lock(mutex);
          run.insert(trial.number);
        }
        return run_formula(trial, json, hooks);
      },
      context);
  REQUIRE(resumed.has_value());
  CHECK(run == std::set<std::int64_t>{13, 14, 15, 17, 18, 19, 20});
  CHECK(parameters_of(*resumed) == parameters_of(*whole));
}

TEST_CASE("run_tuning: never more trials at once than MaxParallelTrainingJobs") {
  const TuningSpec spec = spec_of(tuning_request());
  FakeContext context;
  std::atomic<int> running = 0, most = 0;
  REQUIRE(run_tuning(
              spec, {},
              [&](const Trial& trial, const Json& json, const TrainHooks& hooks) {
                const int now = ++running;
                int seen = most;
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                auto outcome = run_formula(trial, json, hooks);
                --running;
                return outcome;
              },
              context)
              .has_value());
  CHECK(most <= 3);
}

TEST_CASE("run_tuning: the median rule stops trials that are behind, and they are not the best") {
  Json json = tuning_request();
  json["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] = "Auto";
  json["HyperParameterTuningJobConfig"]["Strategy"] = "Random";
  FakeContext context;
  const auto result = run_tuning(spec_of(json), {}, run_formula, context);
  REQUIRE(result.has_value());
  int stopped = 0;
  for (std::size_t i = 0; i < result->trials.size(); ++i) {
    if (result->trials[i].outcome.status != TrialStatus::Stopped) continue;
    ++stopped;
    CHECK(i >= 7);  // five completed ones it may know of
    CHECK(result->trials[i].curve.size() < 5);
  }
  CHECK(stopped > 2);
  CHECK(result->trials[*result->best].outcome.status == TrialStatus::Completed);
}

TEST_CASE("run_tuning: Hyperband finds as good a trial with half of the rounds") {
  Json json = tuning_request();
  Json& config = json["HyperParameterTuningJobConfig"];
  config["ResourceLimits"] = {{"MaxNumberOfTrainingJobs", 120}, {"MaxParallelTrainingJobs", 4}};
  json["TrainingJobDefinition"]["StaticHyperParameters"]["num_round"] = "27";
  const auto formula = [](const Trial& trial, const Json&, const TrainHooks& hooks) -> Result<TrialOutcome> {
    const double depth = std::stod(trial.parameters.at("max_depth")),
                 eta = std::stod(trial.parameters.at("eta"));
    const double value = 0.1 + std::pow(depth - 6, 2) / 50 + std::pow(std::log(eta / 0.1), 2);
    TrialOutcome outcome;
    for (int round = 0; round < 27; ++round) {
      const MetricPoint point{"validation:logloss", value + std::exp(-round * 0.3), round};
      hooks.metric(point);
      outcome.metrics["validation:logloss"] = point.value;
      if (hooks.stop_early(point)) {
        outcome.status = TrialStatus::Stopped;
        break;
      }
    }
    return outcome;
  };
  const auto rounds_and_best = [&](const char* strategy) {
    config["Strategy"] = strategy;
    FakeContext context;
    const auto result = run_tuning(spec_of(json), {}, formula, context);
    REQUIRE(result.has_value());
    std::size_t rounds = 0;
    for (const TrialRecord& record : result->trials) rounds += record.curve.size();
    const TrialRecord& best = result->trials[*result->best];
    CHECK(best.outcome.status == TrialStatus::Completed);
    return std::pair(rounds, best.outcome.metrics.at("validation:logloss"));
  };
  const auto [all, best_of_all] = rounds_and_best("Random");
  const auto [some, best_of_some] = rounds_and_best("Hyperband");
  CHECK(all == 120 * 27);
  CHECK(some * 2 < all);
  CHECK(best_of_some <= best_of_all * 1.05);
}

TEST_CASE("run_tuning: what other jobs found out is where the search begins") {
  Json json = tuning_request();
  json["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] = 5;
  std::vector<Experience> experience;
  for (int i = 0; i < 40; ++i) {
    const double eta = 0.02 + 0.02 * i;
    const int depth = 1 + i % 10;
    experience.push_back(
        {{{"max_depth", std::to_string(depth)}, {"eta", std::to_string(eta)}, {"grow_policy", "depthwise"}},
         0.1 + std::pow(depth - 6, 2) / 50 + std::pow(std::log(eta / 0.1), 2)});
  }
  experience.push_back(
      {{{"max_depth", "400"}, {"eta", "0.1"}, {"grow_policy", "depthwise"}}, -5});  // not of this space
  FakeContext cold_context, warm_context;
  const auto best = [&](FakeContext& context, const std::vector<Experience>& known) {
    const auto result = run_tuning(spec_of(json), {}, run_formula, context, known);
    REQUIRE(result.has_value());
    return result->trials[*result->best].outcome.metrics.at("validation:logloss");
  };
  const double cold = best(cold_context, {}), warm = best(warm_context, experience);
  CHECK(warm < 0.5 * cold);
}

TEST_CASE("run_tuning: failed trials are recorded and passed over; when all fail, the job does") {
  const TuningSpec spec = spec_of(tuning_request());
  FakeContext context;
  const auto result = run_tuning(
      spec, {},
      [](const Trial& trial, const Json& json, const TrainHooks& hooks) -> Result<TrialOutcome> {
        if (trial.number % 2 == 0) return TrialOutcome{TrialStatus::Failed, {}, "out of luck"};
        return run_formula(trial, json, hooks);
      },
      context);
  REQUIRE(result.has_value());
  CHECK(result->trials.size() == 20);
  CHECK(*result->best % 2 == 0);
  const auto none = run_tuning(
      spec, {},
      [](const Trial&, const Json&, const TrainHooks&) -> Result<TrialOutcome> {
        return TrialOutcome{TrialStatus::Failed, {}, "out of luck"};
      },
      context);
  REQUIRE(!none);
  CHECK(none.error().message == "all 20 training jobs failed; the first one: out of luck");
}

TEST_CASE("run_tuning: Grid runs every combination, a target ends the search, cancelling stops it") {
  Json json = tuning_request();
  Json& config = json["HyperParameterTuningJobConfig"];
  config["ParameterRanges"]["ContinuousParameterRanges"] = Json::array();
  config["ParameterRanges"]["CategoricalParameterRanges"].push_back(
      Json::parse(R"({"Name": "eta", "Values": ["0.1", "0.2"]})"));
  config["Strategy"] = "Grid";
  config["ResourceLimits"].erase("MaxNumberOfTrainingJobs");
  FakeContext context;
  auto result = run_tuning(spec_of(json), {}, run_formula, context);
  REQUIRE(result.has_value());
  CHECK(result->trials.size() == 40);
  std::set<HyperParameters> distinct;
  for (const HyperParameters& p : parameters_of(*result)) distinct.insert(p);
  CHECK(distinct.size() == 40);

  config["TuningJobCompletionCriteria"]["TargetObjectiveMetricValue"] = 100;
  result = run_tuning(spec_of(json), {}, run_formula, context);
  REQUIRE(result.has_value());
  CHECK(result->trials.size() == 3);  // the first window, whose first trial is good enough

  config["TuningJobCompletionCriteria"] = {
      {"BestObjectiveNotImproving", {{"MaxNumberOfTrainingJobsNotImproving", 5}}}};
  const auto same = [](const Trial&, const Json&, const TrainHooks&) -> Result<TrialOutcome> {
    return TrialOutcome{TrialStatus::Completed, {{"validation:logloss", 0.5}}, ""};
  };
  result = run_tuning(spec_of(json), {}, same, context);
  REQUIRE(result.has_value());
  CHECK(result->trials.size() == 8);  // the first, five that are no better, the rest of the window

  config.erase("TuningJobCompletionCriteria");
  config["ResourceLimits"]["MaxRuntimeInSeconds"] = 1;
  result = run_tuning(spec_of(json), {}, same, context, {}, context.clock().now() - std::chrono::hours(1));
  REQUIRE(result.has_value());
  CHECK(result->trials.size() == 1);

  context.cancel = true;
  result = run_tuning(spec_of(json), {}, run_formula, context);
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::Cancelled);
}

TEST_CASE("run_tuning: over real training jobs, with early stopping") {
  FakeContext context;
  Random random(9);
  for (const char* channel : {"train", "validation"}) {
    std::string csv = "y,a,b\n";
    for (int i = 0; i < 200; ++i) {
      const double a = random.normal(), b = random.normal();
      csv += std::to_string(a * b > 0) + "," + std::to_string(a) + "," + std::to_string(b) + "\n";
    }
    REQUIRE(context.objects().write("s3://b/" + std::string(channel) + "/data.csv", csv).has_value());
  }
  Json json = tuning_request();
  json["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] = "Auto";
  json["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] = 12;
  const TuningSpec spec = spec_of(json);
  const auto result = run_tuning(
      spec, {},
      [&](const Trial&, const Json& training, const TrainHooks& hooks) -> Result<TrialOutcome> {
        MR_TRY(training_spec, parse_training_spec(training));
        MR_TRY(trained, run_training(training_spec, context, hooks));
        return TrialOutcome{trained.stopped_early ? TrialStatus::Stopped : TrialStatus::Completed,
                            trained.metrics, ""};
      },
      context);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  const TrialRecord& best = result->trials[*result->best];
  CHECK(best.outcome.metrics.at("validation:logloss") < 0.5);
  CHECK(best.curve.back() == best.outcome.metrics.at("validation:logloss"));
  CHECK(context.objects().read("s3://b/out/" + best.trial.job_name + "/output/model.tar.gz").has_value());
}
