// Debugger's rules about tensors: each on data where it is met and where it is not, and on real fits.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tasks/training/debug_rules.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr float kNanFloat = std::numeric_limits<float>::quiet_NaN(),
                kInfiniteFloat = std::numeric_limits<float>::infinity();

Json tensor_rule(const std::string& rule, Json parameters = Json::object()) {
  parameters["rule_to_invoke"] = rule;
  return {{"RuleConfigurationName", rule + "-1"}, {"RuleParameters", parameters}};
}

DebugRules parsed_rules(std::vector<Json> configurations, const std::string& algorithm = "mlp") {
  auto rules = DebugRules::parse({{"DebugRuleConfigurations", configurations}}, algorithm);
  REQUIRE_MESSAGE(rules.has_value(), (rules ? "" : rules.error().message));
  return std::move(*rules);
}

std::string parse_refusal(const Json& one, const std::string& algorithm = "mlp") {
  const auto rules = DebugRules::parse({{"DebugRuleConfigurations", {one}}}, algorithm);
  return rules ? "accepted" : rules.error().message;
}

using Floats = std::vector<float>;

// What the rule found in the steps 0, 1, … of one tensor; empty: nothing.
std::string found_in(const std::string& rule, const Json& parameters, std::string_view collection,
                     const std::string& name, const std::vector<Floats>& steps, std::size_t columns = 1) {
  DebugRules rules = parsed_rules({tensor_rule(rule, parameters)});
  for (std::size_t step = 0; step < steps.size(); ++step) {
    const Tensor tensor{collection, name, steps[step], columns};
    rules.on_tensors(static_cast<std::int64_t>(step), {&tensor, 1});
  }
  return rules.rules()[0].issue;
}

// A fit with the rules looking on; what they found by the first part of their names.
struct WatchedFit {
  std::map<std::string, std::string> found;
  std::int64_t first_step = -1;  // in which one was met
  Result<Fitted> result = invalid("not run");
};
WatchedFit watched_fit(const HyperParameters& parameters, SampleTask task,
                       const std::vector<std::string>& names, const std::string& algorithm = "mlp") {
  std::vector<Json> configurations;
  for (const std::string& name : names) configurations.push_back(tensor_rule(name));
  DebugRules rules = parsed_rules(configurations, algorithm);
  WatchedFit out;
  TensorTap tap;
  tap.wants = [&](std::int64_t step, bool begins) { return rules.wants_tensors(step, begins); };
  tap.show = [&](std::int64_t step, std::span<const Tensor> tensors) {
    if (!rules.on_tensors(step, tensors).empty() && out.first_step < 0) out.first_step = step;
  };
  FitContext context;
  context.seed = 3, context.tensors = &tap;
  context.stop_early = [&](const MetricPoint&) { return out.first_step >= 0; };
  const Dataset train = sample_data(task, 400, 5, 61);
  out.result = (*find_estimator(algorithm)->make(parameters))->fit(train, nullptr, context);
  for (const DebugRule& rule : rules.rules())
    if (!rule.issue.empty()) out.found[std::string(rule.name.substr(0, rule.name.size() - 2))] = rule.issue;
  return out;
}

const HyperParameters kHealthy = {{"predictor_type", "binary_classifier"},
                                  {"hidden_layers", "16,8"},
                                  {"epochs", "12"},
                                  {"mini_batch_size", "50"}};

HyperParameters with_changes(HyperParameters parameters, const HyperParameters& changes) {
  for (const auto& [name, value] : changes) parameters[name] = value;
  return parameters;
}

}  // namespace

TEST_CASE("tensors: a summary of what is finite, and how much is not") {
  const Floats values = {1, -3, 0, 0, 2, kNanFloat, kInfiniteFloat};
  const TensorSummary s = summarise(values);
  CHECK(s.count == 7);
  CHECK(s.zeros == 2);
  CHECK(s.nans == 1);
  CHECK(s.infinities == 1);
  CHECK(s.least == -3);
  CHECK(s.most == 2);
  CHECK(s.mean == 0);
  CHECK(s.mean_absolute == doctest::Approx(1.2));
  CHECK(s.deviation == doctest::Approx(std::sqrt(14.0 / 5)));
  CHECK(s.percentiles[2] == 0);
  Floats many(1001);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>((i * 8) % 1001);
  CHECK(summarise(many).percentiles == std::array<double, 5>{50, 250, 500, 750, 950});
  CHECK(summarise({}).count == 0);
  const Json json = to_json(Tensor{"weights", "layer0_weight", many, 7});
  CHECK(json["shape"] == Json{143, 7});
  CHECK(json["sha256"].get<std::string>().size() == 64);
  const auto pattern = NamePattern::compile(".*relu_(in|out)put");
  REQUIRE(pattern);
  CHECK(pattern->matches("layer0_relu_output"));
  CHECK(!pattern->matches("layer0_tanh_output"));
  CHECK(!NamePattern::compile("relu")->matches("layer0_relu_output"));  // at the beginning
  CHECK(NamePattern::compile("a(").error().message.find("can't be used") != std::string::npos);
  CHECK(!NamePattern::compile("(a+)+$")->matches(std::string(5000, 'a') + "b"));  // given up, not for ever
}

TEST_CASE("debug rules: gradients that vanish, tensors that explode") {
  const std::string gradient = "gradient/layer0_weight";
  CHECK(found_in("VanishingGradient", {}, "gradients", gradient, {{1e-3f, -1e-3f}, {1e-8f, -1e-9f}}) ==
        "the mean of the absolute values of gradient/layer0_weight is 5.5e-09");
  CHECK(found_in("VanishingGradient", {}, "gradients", gradient, {{1e-3f, 0}, {1e-6f, -1e-6f}}) == "");
  CHECK(found_in("VanishingGradient", {{"threshold", "0.01"}}, "gradients", gradient, {{1e-3f, 1e-3f}}) !=
        "");
  CHECK(found_in("VanishingGradient", {}, "gradients", "gradient/layer0_bias", {{0, 0}}) == "");
  CHECK(found_in("VanishingGradient", {}, "weights", "layer0_weight", {{0, 0}}) == "");
  CHECK(found_in("ExplodingTensor", {}, "weights", "layer0_weight", {{1, 2}, {1, kInfiniteFloat}}) ==
        "layer0_weight has 1 infinite values");
  CHECK(found_in("ExplodingTensor", {{"only_nan", "True"}}, "weights", "layer0_weight",
                 {{1, kInfiniteFloat}}) == "");
  CHECK(found_in("ExplodingTensor", {{"only_nan", "True"}}, "weights", "layer0_weight", {{kNanFloat, 1}}) ==
        "layer0_weight has 1 values that are no numbers (NaN)");
  CHECK(found_in("ExplodingTensor", {}, "weights", "layer0_weight", {{1e30f, 2}}) == "");
  const Json by_name = {{"tensor_regex", ".*gradient, .*bias"}};
  CHECK(found_in("ExplodingTensor", by_name, "weights", "layer0_weight", {{kNanFloat}}) == "");
  CHECK(found_in("ExplodingTensor", by_name, "gradients", gradient, {{kNanFloat}}) != "");
}

TEST_CASE("debug rules: units that are dead or saturated") {
  // Four units over two rows.
  CHECK(found_in("DeadRelu", {}, "relu_output", "layer0_relu_output", {{1, 0, 0, 0, 2, 0, 0, 0}}, 4) ==
        "75 % of the units of layer0_relu_output are active for less than 1 % of the rows");
  CHECK(found_in("DeadRelu", {}, "relu_output", "layer0_relu_output", {{1, 0, 0, 0, 0, 3, 0, 0}}, 4) == "");
  CHECK(found_in("DeadRelu", {{"threshold_inactivity", "60"}}, "relu_output", "layer0_relu_output",
                 {{1, 0, 0, 0, 0, 3, 0, 0}}, 4) != "");
  CHECK(found_in("DeadRelu", {{"threshold_layer", "80"}}, "relu_output", "layer0_relu_output",
                 {{1, 0, 0, 0, 2, 0, 0, 0}}, 4) == "");
  CHECK(found_in("SaturatedActivation", {}, "tanh_input", "layer0_tanh_input", {{10, 11, -12, 1}}, 4) != "");
  CHECK(found_in("SaturatedActivation", {}, "tanh_input", "layer0_tanh_input", {{10, 11, 2, 1}}, 4) == "");
  CHECK(found_in("SaturatedActivation", {}, "sigmoid_input", "layer0_sigmoid_input", {{10, 11, -12, 1}}, 4) ==
        "");
  CHECK(found_in("SaturatedActivation", {{"threshold_sigmoid_max", "5"}, {"threshold_sigmoid_min", "-5"}},
                 "sigmoid_input", "layer0_sigmoid_input", {{10, 11, -12, 1}}, 4)
            .find("75 % of the units") == 0);
}

TEST_CASE("debug rules: poor weights at the beginning") {
  const auto found = [](const std::vector<std::vector<Floats>>& steps, Json parameters = Json::object()) {
    DebugRules rules = parsed_rules({tensor_rule("PoorWeightInitialization", std::move(parameters))});
    for (std::size_t step = 0; step < steps.size(); ++step) {
      const Tensor tensors[] = {{"relu_input", "layer0_relu_input", steps[step][0], 1},
                                {"relu_input", "layer1_relu_input", steps[step][1], 1},
                                {"gradients", "gradient/layer0_weight", steps[step][2], 1},
                                {"losses", "loss", steps[step][3], 1}};
      rules.on_tensors(static_cast<std::int64_t>(step), tensors);
    }
    return rules.rules()[0].issue;
  };
  const std::vector<Floats> good = {{1, -1}, {2, -2}, {0.1f, -0.1f}, {1}};
  CHECK(found({good}) == "");
  CHECK(found({{{1, -1}, {4, -4}, {0.1f, -0.1f}, {1}}}) ==
        "the variance of layer1_relu_input is 16, that of layer0_relu_input 1");
  CHECK(found({{{1, -1}, {2, -2}, {1e-4f, -1e-4f}, {1}}})
            .find("from the 5th to the 95th percentile of gradient/layer0_weight") == 0);
  CHECK(found(std::vector<std::vector<Floats>>(6, good)) == "the loss has not fallen below 1 for 5 steps");
  CHECK(found(std::vector<std::vector<Floats>>(6, good), {{"patience", "8"}}) == "");
  std::vector<std::vector<Floats>> late(12, good);
  for (std::size_t step = 0; step < 10; ++step) late[step][3] = {1 - 0.05f * static_cast<float>(step)};
  late[11][1] = {100, -100};
  CHECK(found(late) == "");  // only the first ten steps
}

TEST_CASE("debug rules: weights that change too much or not at all") {
  CHECK(found_in("WeightUpdateRatio", {}, "weights", "layer0_weight", {{1, 1}, {1.1f, 0.9f}}) == "");
  CHECK(found_in("WeightUpdateRatio", {}, "weights", "layer0_weight", {{1, 1}, {21, 1}}) == "");
  CHECK(found_in("WeightUpdateRatio", {}, "weights", "layer0_weight", {{1, 1}, {23, 1}}) ==
        "layer0_weight changed by 11 of its size from step 0 to step 1");
  CHECK(found_in("WeightUpdateRatio", {}, "weights", "layer0_weight", {{1, 1}, {1, 1}})
            .find("changed by 0 of") != std::string::npos);
  // Over two steps: the first comparison is at step 2.
  CHECK(found_in("WeightUpdateRatio", {{"num_steps", "2"}}, "weights", "layer0_weight",
                 {{1}, {1}, {2}, {2}}) == "");
  CHECK(found_in("WeightUpdateRatio", {{"num_steps", "2"}}, "weights", "layer0_weight", {{1}, {1}, {1}}) !=
        "");
  const Json weights = {{"collection_names", "weights"}};
  CHECK(found_in("UnchangedTensor", weights, "weights", "layer0_weight", {{1, 2}, {1, 2}, {1, 2}}) ==
        "layer0_weight is the same in 3 steps, up to step 2");
  CHECK(found_in("UnchangedTensor", weights, "weights", "layer0_weight",
                 {{1, 2}, {1, 2}, {1, 2.1f}, {1, 2.1f}}) == "");
  CHECK(found_in("UnchangedTensor", weights, "weights", "layer0_weight",
                 {{1, kNanFloat}, {1, kNanFloat}, {1, kNanFloat}}) == "");
  CHECK(found_in("UnchangedTensor", {{"tensor_regex", "layer0"}, {"equal_nan", "True"}, {"num_steps", "2"}},
                 "weights", "layer0_weight", {{1, kNanFloat}, {1, kNanFloat}}) != "");
}

TEST_CASE("debug rules: zeros, variances, a confusion matrix") {
  const Json weights = {{"collection_names", "weights"}};
  CHECK(found_in("AllZero", weights, "weights", "layer0_weight", {{0, 0, 0, 0}}) ==
        "100 % of layer0_weight are 0");
  CHECK(found_in("AllZero", weights, "weights", "layer0_weight", {{0, 0, 0, 1}}) == "");
  CHECK(found_in("AllZero", weights, "biases", "layer0_bias", {{0, 0, 0, 0}}) == "");
  CHECK(found_in("AllZero", {{"collection_names", "weights"}, {"threshold", "75"}}, "weights",
                 "layer0_weight", {{0, 0, 0, 1}}) != "");
  const auto variance = [](const char* bound, const char* value, Floats values) {
    return found_in("TensorVariance", {{"collection_names", "weights"}, {bound, value}}, "weights",
                    "layer0_weight", {std::move(values)});
  };
  CHECK(variance("max_threshold", "3", {2, -2}) == "the variance of layer0_weight is 4");
  CHECK(variance("max_threshold", "5", {2, -2}) == "");
  CHECK(variance("min_threshold", "0.5", {0.5f, -0.5f}) != "");
  CHECK(variance("min_threshold", "0.1", {0.5f, -0.5f}) == "");
  const auto confused = [](Floats labels, Floats predictions, std::size_t columns,
                           Json parameters = Json::object()) {
    DebugRules rules = parsed_rules({tensor_rule("Confusion", std::move(parameters))}, "xgboost");
    const Tensor tensors[] = {{"predictions", "predictions", predictions, columns},
                              {"labels", "labels", labels, 1}};
    rules.on_tensors(0, tensors);
    return rules.rules()[0].issue;
  };
  CHECK(confused({0, 0, 1, 1}, {0.1f, 0.2f, 0.9f, 0.8f}, 1) == "");
  CHECK(confused({0, 0, 1, 1}, {0.1f, 0.2f, 0.9f, 0.2f}, 1) ==
        "of the rows of class 1 50 % are predicted as class 0");
  CHECK(confused({0, 0, 1, 1}, {0.1f, 0.2f, 0.9f, 0.2f}, 1, {{"min_diag", "0.5"}, {"max_off_diag", "0.5"}}) ==
        "");
  CHECK(confused({0, 1, 2}, {0.8f, 0.1f, 0.1f, 0.1f, 0.8f, 0.1f, 0.7f, 0.2f, 0.1f}, 3) ==
        "of the rows of class 2 100 % are predicted as class 0");
}

TEST_CASE("debug rules: tensors that another run has, too") {
  const Floats values = {1, 2, 3};
  const Tensor tensor{"weights", "layer0_weight", values, 1};
  const auto found = [&](const std::string& hash) {
    DebugRules rules = parsed_rules({tensor_rule("SimilarAcrossRuns", {{"other_trials", "before"}})});
    CHECK(rules.on_tensors(1, {&tensor, 1}).empty());  // nobody says what the other has
    rules.look_up_others([&](const std::string& job, const Tensor& of, std::int64_t step) {
      return job == "before" && of.name == "layer0_weight" && step == 4 ? hash : std::string();
    });
    rules.on_tensors(3, {&tensor, 1});
    rules.on_tensors(4, {&tensor, 1});
    return rules.rules()[0].issue;
  };
  CHECK(found(tensor_sha256(tensor)) == "layer0_weight in step 4 is that of before");
  CHECK(found("0000").empty());
  CHECK(found("").empty());
  CHECK(parse_refusal(tensor_rule("SimilarAcrossRuns")).find("needs other_trials") != std::string::npos);
}

TEST_CASE("debug rules: which tensors, and what is refused about them") {
  CHECK(parse_refusal(tensor_rule("AllZero")) ==
        "DebugRuleConfigurations[0].RuleParameters: AllZero needs collection_names or tensor_regex");
  CHECK(parse_refusal(tensor_rule("AllZero", {{"collection_names", "weights,wieghts"}})) ==
        "DebugRuleConfigurations[0].RuleParameters: collection_names: mlp shows no 'wieghts'");
  CHECK(parse_refusal(tensor_rule("AllZero", {{"tensor_regex", "["}}))
            .find("tensor_regex: \"[\" can't be used") != std::string::npos);
  CHECK(parse_refusal(tensor_rule("VanishingGradient"), "kmeans") ==
        "DebugRuleConfigurations[0].RuleConfigurationName: VanishingGradient looks at tensors, and "
        "kmeans shows none");
  CHECK(parse_refusal(tensor_rule("VanishingGradient"), "xgboost").find("which xgboost does not show") !=
        std::string::npos);
  CHECK(parse_refusal(tensor_rule("DeadRelu"), "").find("those of a program are not known") !=
        std::string::npos);
  CHECK(parse_refusal(tensor_rule("Confusion"), "mlp").find("does not show") != std::string::npos);
  CHECK(parse_refusal(tensor_rule("ExplodingTensor"), "") == "accepted");  // its metrics
  CHECK(parse_refusal(tensor_rule("CreateXgboostReport"), "mlp").find("is for xgboost") != std::string::npos);
  CHECK(parse_refusal(tensor_rule("TensorVariance", {{"collection_names", "weights"}}))
            .find("needs max_threshold or min_threshold") != std::string::npos);
  CHECK(parse_refusal(tensor_rule("VanishingGradient", {{"threshold", "-1"}}))
            .find("expected a number of at least 0") != std::string::npos);
  CHECK(parse_refusal(tensor_rule("SaturatedActivation", {{"threshold_tanh_min", "-3"}})) == "accepted");
}

TEST_CASE("debug rules: a healthy network has no issues; who looks on changes nothing") {
  const std::vector<std::string> all = {"VanishingGradient", "ExplodingTensor", "DeadRelu",
                                        "PoorWeightInitialization", "WeightUpdateRatio"};
  const WatchedFit watched = watched_fit(kHealthy, SampleTask::Binary, all);
  REQUIRE(watched.result.has_value());
  CHECK(watched.found == std::map<std::string, std::string>());
  FitContext alone;
  alone.seed = 3;
  const Dataset train = sample_data(SampleTask::Binary, 400, 5, 61);
  const auto fitted = (*find_estimator("mlp")->make(kHealthy))->fit(train, nullptr, alone);
  REQUIRE(fitted.has_value());
  CHECK(fitted->model->save() == watched.result->model->save());
  CHECK(fitted->metrics == watched.result->metrics);
}

TEST_CASE("debug rules: a learning rate that is far too high kills the network, and the fit ends") {
  // Steps that throw the units out of reach of every row.
  const WatchedFit dead = watched_fit(
      with_changes(kHealthy,
                   {{"optimizer", "sgd"}, {"learning_rate", "30"}, {"wd", "0"}, {"lr_schedule", "constant"}}),
      SampleTask::Binary, {"DeadRelu"});
  CHECK(dead.found.contains("DeadRelu"));
  CHECK(dead.first_step >= 1);
  REQUIRE(dead.result.has_value());
  CHECK(dead.result->rounds < 12);
  // A squared loss without bounds.
  const WatchedFit exploded = watched_fit({{"predictor_type", "regressor"},
                                           {"hidden_layers", "16"},
                                           {"epochs", "10"},
                                           {"mini_batch_size", "20"},
                                           {"optimizer", "sgd"},
                                           {"learning_rate", "1000"},
                                           {"lr_schedule", "constant"}},
                                          SampleTask::Regression, {"ExplodingTensor"});
  CHECK(exploded.found.contains("ExplodingTensor"));
  // Ten layers of sigmoids: what comes back to the first one is next to nothing.
  const WatchedFit vanished = watched_fit(
      with_changes(kHealthy,
                   {{"activation", "logistic"}, {"hidden_layers", "8,8,8,8,8,8,8,8,8,8,8,8,8,8,8,8"}}),
      SampleTask::Binary, {"VanishingGradient"});
  CHECK(vanished.found.contains("VanishingGradient"));
  const WatchedFit saturated = watched_fit(
      with_changes(kHealthy, {{"activation", "tanh"}, {"optimizer", "sgd"}, {"learning_rate", "300"}}),
      SampleTask::Binary, {"SaturatedActivation"});
  CHECK(saturated.found.contains("SaturatedActivation"));
}

TEST_CASE("mlp: parameters that are no numbers end the training with an error, whatever the loss") {
  for (const char* predictor : {"binary_classifier", "regressor"}) {
    CAPTURE(predictor);
    const Dataset train =
        sample_data(predictor[0] == 'b' ? SampleTask::Binary : SampleTask::Regression, 200, 4, 62);
    const HyperParameters parameters = {{"predictor_type", predictor}, {"hidden_layers", "8"},
                                        {"optimizer", "momentum"},     {"learning_rate", "1000"},
                                        {"momentum", "0.999"},         {"epochs", "60"},
                                        {"lr_schedule", "constant"},   {"wd", "1000"}};
    const auto fitted = (*find_estimator("mlp")->make(parameters))->fit(train, nullptr, {});
    REQUIRE(!fitted);
    CHECK(fitted.error().message.find("training diverged in epoch") == 0);
  }
}

TEST_CASE("debug rules: linear-learner shows its weights, and its model stays the same") {
  const HyperParameters parameters = {{"predictor_type", "regressor"},
                                      {"optimizer", "sgd"},
                                      {"mini_batch_size", "32"},
                                      {"learning_rate", "0.05"}};
  const WatchedFit watched = watched_fit(parameters, SampleTask::Regression,
                                         {"ExplodingTensor", "WeightUpdateRatio"}, "linear-learner");
  REQUIRE(watched.result.has_value());
  CHECK(watched.found.empty());
  FitContext alone;
  alone.seed = 3;
  const Dataset train = sample_data(SampleTask::Regression, 400, 5, 61);
  CHECK((*find_estimator("linear-learner")->make(parameters))->fit(train, nullptr, alone)->model->save() ==
        watched.result->model->save());
  const WatchedFit diverged =
      watched_fit(with_changes(parameters, {{"learning_rate", "30"}}), SampleTask::Regression,
                  {"ExplodingTensor", "WeightUpdateRatio"}, "linear-learner");
  CHECK(!diverged.found.empty());
}

TEST_CASE("debug rules: xgboost shows importances, predictions and labels, and its model stays the same") {
  const Dataset train = sample_data(SampleTask::Binary, 300, 4, 63),
                validation = sample_data(SampleTask::Binary, 80, 4, 64);
  const HyperParameters parameters = {
      {"num_round", "15"}, {"objective", "binary:logistic"}, {"subsample", "0.7"}};
  const auto estimator = std::move(*find_estimator("xgboost")->make(parameters));
  const auto plain = estimator->fit(train, &validation, {});
  std::vector<std::int64_t> steps;
  TensorTap tap;
  tap.wants = [](std::int64_t, bool begins) { return begins; };
  tap.show = [&](std::int64_t step, std::span<const Tensor> tensors) {
    steps.push_back(step);
    REQUIRE(tensors.size() == 4);
    CHECK(tensors[0].collection == "predictions");
    CHECK(tensors[0].values.size() == 80);
    CHECK(tensors[1].collection == "labels");
    CHECK(tensors[1].values[5] == static_cast<float>(validation.y[5]));
    CHECK(tensors[2].name == "feature_importance/total_gain");
    CHECK(tensors[2].values.size() == 4);
    for (const float p : tensors[0].values) CHECK((p > 0 && p < 1));
  };
  FitContext context;
  context.tensors = &tap;
  const auto watched = estimator->fit(train, &validation, context);
  REQUIRE(plain.has_value());
  REQUIRE(watched.has_value());
  CHECK(steps == std::vector<std::int64_t>{0, 10, 14});
  CHECK(watched->model->save() == plain->model->save());
  const HyperParameters weak =
      with_changes(parameters, {{"num_round", "2"}, {"eta", "0.01"}, {"max_depth", "1"}});
  CHECK(watched_fit(weak, SampleTask::Binary, {"Confusion"}, "xgboost").found.contains("Confusion"));
  const HyperParameters strong = with_changes(parameters, {{"num_round", "40"}, {"subsample", "1"}});
  CHECK(!watched_fit(strong, SampleTask::Binary, {"Confusion"}, "xgboost").found.contains("Confusion"));
}
