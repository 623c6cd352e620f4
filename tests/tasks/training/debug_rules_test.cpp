#include "tasks/training/debug_rules.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json configuration(const std::string& rule, Json parameters = Json::object()) {
  parameters["rule_to_invoke"] = rule;
  return {
      {"RuleConfigurationName", rule + "-1"},
      {"RuleEvaluatorImage", "503895931360.dkr.ecr.us-east-1.amazonaws.com/sagemaker-debugger-rules:latest"},
      {"RuleParameters", parameters}};
}

DebugRules rules_of(std::vector<Json> configurations, const std::string& algorithm = "xgboost") {
  auto rules = DebugRules::parse({{"DebugRuleConfigurations", configurations}}, algorithm);
  REQUIRE_MESSAGE(rules.has_value(), (rules ? "" : rules.error().message));
  return std::move(*rules);
}

// The round in which a rule is met by the losses of train and validation; -1: in none.
std::int64_t met_in(const std::string& rule, Json parameters, const std::vector<double>& train,
                    const std::vector<double>& validation = {}) {
  DebugRules rules = rules_of({configuration(rule, std::move(parameters))});
  for (std::size_t k = 0; k < train.size(); ++k) {
    const auto round = static_cast<std::int64_t>(k);
    bool met = !rules.on_metric({"train:logloss", train[k], round}).empty();
    met |= !rules.on_metric({"train:auc", 0.5, round}).empty();  // no loss
    if (k < validation.size()) met |= !rules.on_metric({"validation:logloss", validation[k], round}).empty();
    if (met) {
      CHECK(!rules.rules()[0].issue.empty());
      CHECK(rules.on_metric({"train:logloss", 1e9, round + 1}).empty());  // once
      return round;
    }
  }
  CHECK(rules.rules()[0].issue.empty());
  return -1;
}

std::string rule_refusal(const Json& one, const std::string& algorithm = "xgboost") {
  const auto rules = DebugRules::parse({{"DebugRuleConfigurations", {one}}}, algorithm);
  return rules ? "accepted" : rules.error().message;
}

}  // namespace

TEST_CASE("debug rules: a loss that does not decrease") {
  CHECK(met_in("LossNotDecreasing", {{"num_steps", "2"}, {"diff_percent", "1"}},
               {1, 0.9, 0.8, 0.79, 0.799}) == 4);
  CHECK(met_in("LossNotDecreasing", {{"num_steps", "2"}}, {1, 0.9, 0.8, 0.7, 0.6, 0.5}) == -1);
  CHECK(met_in("LossNotDecreasing", {}, std::vector<double>(11, 1.0)) == 10);  // 10 steps by default
}

TEST_CASE("debug rules: validation far above train, for longer than allowed") {
  const std::vector<double> train = {1, 0.8, 0.6, 0.5, 0.4}, validation = {1, 0.85, 0.7, 0.7, 0.7};
  CHECK(met_in("Overfit", {}, train, validation) == 3);  // above in rounds 2 and 3, patience 1
  CHECK(met_in("Overfit", {{"patience", "2"}}, train, validation) == 4);
  CHECK(met_in("Overfit", {{"start_step", "3"}}, train, validation) == 4);
  CHECK(met_in("Overfit", {{"ratio_threshold", "2"}}, train, validation) == -1);
  CHECK(met_in("Overfit", {}, train) == -1);  // no validation channel
}

TEST_CASE("debug rules: both losses at their end") {
  const std::vector<double> train = {1, 0.5, 0.5, 0.5, 0.5, 0.5}, validation = {1, 0.6, 0.6, 0.61, 0.6, 0.6};
  const Json quick = {{"patience_train", "2"}, {"patience_validation", "3"}, {"delta", "0.01"}};
  CHECK(met_in("Overtraining", quick, train, validation) == 4);
  CHECK(met_in("Overtraining", {}, train, validation) == -1);
  CHECK(met_in("Overtraining", quick, {1, 0.9, 0.8, 0.7, 0.6, 0.5}, validation) == -1);
}

TEST_CASE("debug rules: values that are none, silence, classes") {
  const double nan = std::nan(""), infinite = std::numeric_limits<double>::infinity();
  CHECK(met_in("ExplodingTensor", {}, {1, 2, infinite}) == 2);
  CHECK(met_in("ExplodingTensor", {{"only_nan", "True"}}, {infinite, nan}) == 1);
  CHECK(met_in("ExplodingTensor", {}, {1, 1e30}) == -1);
  DebugRules stalled = rules_of({configuration("StalledTrainingRule", {{"threshold", "2"}})});
  CHECK(stalled.watches_time());
  CHECK(stalled.on_silence(Millis(1999)).empty());
  CHECK(stalled.on_silence(Millis(2000)).size() == 1);
  CHECK(stalled.on_silence(Millis(9000)).empty());
  Dataset rows;
  rows.y.assign(100, 0);
  rows.y[3] = 1;
  DebugRules few = rules_of({configuration("ClassImbalance")});
  CHECK(few.on_data(rows, "regression").empty());
  CHECK(few.on_data(rows, "binary").size() == 1);
  CHECK(few.rules()[0].issue == "class 0 has 99 rows, class 1 only 1");
  for (std::size_t i = 0; i < 9; ++i) rows.y[i] = 1;
  CHECK(rules_of({configuration("ClassImbalance", {{"threshold_imbalance", "10.2"}})})
            .on_data(rows, "binary")
            .empty());
}

TEST_CASE("debug rules: the trees that came out") {
  const Dataset train = sample_data(SampleTask::Regression, 400, 8, 41);
  const auto trained = [&](const std::string& algorithm, HyperParameters parameters) {
    auto fitted = (*find_estimator(algorithm)->make(parameters))->fit(train, nullptr, {});
    REQUIRE(fitted.has_value());
    return std::move(fitted->model);
  };
  const auto shallow = trained("xgboost", {{"num_round", "5"}, {"max_depth", "3"}}),
             deep = trained("random-forest", {{"predictor_type", "regressor"}, {"n_estimators", "3"}});
  CHECK(rules_of({configuration("TreeDepth")}).on_model(*shallow).empty());
  DebugRules depth = rules_of({configuration("TreeDepth", {{"depth", "2"}})});
  CHECK(depth.on_model(*shallow).size() == 1);
  CHECK(depth.rules()[0].issue == "a tree is 3 deep");
  CHECK(rules_of({configuration("TreeDepth")}, "random-forest").on_model(*deep).size() == 1);
  CHECK(rules_of({configuration("FeatureImportanceOverweight", {{"threshold", "0.05"}, {"nfeatures", "2"}})})
            .on_model(*shallow)
            .size() == 1);
  CHECK(rules_of({configuration("FeatureImportanceOverweight", {{"threshold", "1"}})})
            .on_model(*shallow)
            .empty());
}

TEST_CASE("debug rules: what ends a job, and what is refused") {
  const Json stop = {
      {"action_json", R"([{"name":"stoptraining","parameters":{"training_job_prefix":"x"}}])"}};
  CHECK(rules_of({configuration("Overfit", stop)}).rules()[0].stops);
  CHECK(
      rules_of({configuration("StalledTrainingRule", {{"stop_training_on_fire", "True"}})}).rules()[0].stops);
  CHECK(!rules_of({configuration("Overfit")}).rules()[0].stops);
  CHECK(rules_of({{{"RuleConfigurationName", "TreeDepth"}}}).rules()[0].parameters.at("depth") == 4);
  CHECK(rule_refusal(configuration("Overfitt")) ==
        "DebugRuleConfigurations[0].RuleParameters: rule_to_invoke 'Overfitt' is not one of the rules: did "
        "you mean "
        "'Overfit'?");
  CHECK(rule_refusal(configuration("Overfit", {{"patiens", "1"}})) ==
        "DebugRuleConfigurations[0].RuleParameters: 'patiens' is no parameter of Overfit");
  CHECK(
      rule_refusal(configuration("Overfit", {{"patience", "-1"}})).find("expected a number of at least 0") !=
      std::string::npos);
  CHECK(rule_refusal(configuration("Overfit", {{"action_json", R"({"name":"email"})"}}))
            .find("'email' is not offered") != std::string::npos);
  CHECK(
      rule_refusal(configuration("TreeDepth"), "mlp").find("is for xgboost, random-forest and extra-trees") !=
      std::string::npos);
  CHECK(rule_refusal(configuration("ClassImbalance"), "").find("knows no rows of a program") !=
        std::string::npos);
  CHECK(rule_refusal(Json::object()).find("RuleConfigurationName") != std::string::npos);
  const Json two = configuration("Overfit");
  CHECK(DebugRules::parse({{"DebugRuleConfigurations", {two, two}}}, "xgboost")
            .error()
            .message.find("two rules") != std::string::npos);
}
