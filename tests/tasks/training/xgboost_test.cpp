#include "tasks/training/xgboost.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<Fitted> try_fit(const HyperParameters& parameters, const Dataset& train,
                       const Dataset* validation = nullptr, const FitContext& context = {}) {
  MR_TRY(estimator, make_xgboost(parameters));
  return estimator->fit(train, validation, context);
}

Fitted fit_trees(const HyperParameters& parameters, const Dataset& train, const Dataset* validation = nullptr,
                 const FitContext& context = {}) {
  auto fitted = try_fit(parameters, train, validation, context);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

Json model_of(const Fitted& fitted) {
  return Json::parse(fitted.model->save());
}

}  // namespace

TEST_CASE("xgboost: a model of one split worked by hand") {
  Dataset data;
  data.X = Matrix(4, 1);
  data.X.values = {1, 2, 3, 4};
  data.y = {0, 0, 10, 10};
  const auto fitted =
      fit_trees({{"num_round", "1"}, {"max_depth", "1"}, {"eta", "1"}, {"lambda", "0"}, {"base_score", "0"}},
                data, &data);
  const auto p = fitted.model->predict(data.X);
  CHECK(p->values == std::vector<float>{0, 0, 10, 10});
  CHECK(fitted.metrics.at("validation:rmse") == doctest::Approx(0));
  // lambda shrinks a leaf of two rows: 20 / (2 + 2)
  const auto shrunk = fit_trees(
      {{"num_round", "1"}, {"max_depth", "1"}, {"eta", "1"}, {"lambda", "2"}, {"base_score", "0"}}, data);
  CHECK(shrunk.model->predict(data.X)->values == std::vector<float>{0, 0, 5, 5});
}

TEST_CASE("xgboost: early stopping cuts the model to its best round") {
  const Dataset train = sample_data(SampleTask::Binary, 150, 4, 1),
                validation = sample_data(SampleTask::Binary, 300, 4, 2);
  std::vector<double> losses;
  FitContext context;
  context.metric = [&](const MetricPoint& point) {
    if (point.name == "validation:logloss") losses.push_back(point.value);
  };
  HyperParameters parameters{{"num_round", "500"},
                             {"objective", "binary:logistic"},
                             {"eval_metric", "auc,logloss"},
                             {"early_stopping_rounds", "5"}};
  const auto fitted = fit_trees(parameters, train, &validation, context);
  const auto best = std::min_element(losses.begin(), losses.end());
  CHECK(losses.size() < 500);
  CHECK(fitted.rounds == best - losses.begin() + 1);
  CHECK(losses.size() == static_cast<std::size_t>(fitted.rounds) + 5);
  CHECK(fitted.metrics.at("validation:logloss") == *best);
  CHECK(model_of(fitted)["learner"]["gradient_booster"]["model"]["trees"].size() ==
        static_cast<std::size_t>(fitted.rounds));
  // The model so far is the one that exactly so many rounds make.
  parameters.erase("early_stopping_rounds");
  parameters["num_round"] = std::to_string(fitted.rounds);
  CHECK(fit_trees(parameters, train).model->predict(validation.X)->values ==
        fitted.model->predict(validation.X)->values);
}

TEST_CASE("xgboost: SageMaker's accuracy, mse and f1 beside the library's metrics") {
  const Dataset binary = sample_data(SampleTask::Binary, 200, 3, 3);
  const auto a =
      fit_trees({{"num_round", "3"}, {"objective", "binary:logistic"}, {"eval_metric", "error, accuracy,f1"}},
                binary, &binary);
  CHECK(a.metrics.at("validation:accuracy") == doctest::Approx(1 - a.metrics.at("validation:error")));
  CHECK(a.metrics.at("validation:f1") > 0.8);
  CHECK(a.metrics.at("validation:f1") < 1);
  const Dataset numbers = sample_data(SampleTask::Regression, 200, 3, 4);
  const auto b = fit_trees({{"num_round", "3"}, {"eval_metric", "mse,rmse"}}, numbers, &numbers);
  CHECK(b.metrics.at("train:mse") ==
        doctest::Approx(b.metrics.at("train:rmse") * b.metrics.at("train:rmse")));
  const auto refused = try_fit({{"num_round", "3"}, {"eval_metric", "f1"}}, numbers);
  REQUIRE(!refused);
  CHECK(refused.error().message == "eval_metric f1 is for classes, not for reg:squarederror");
}

TEST_CASE("xgboost: every objective that is offered trains; softmax predicts probabilities") {
  Dataset data = sample_data(SampleTask::Classes, 200, 3, 5);
  const auto softmax =
      fit_trees({{"num_round", "3"}, {"objective", "multi:softmax"}, {"num_class", "3"}}, data);
  CHECK(softmax.model->predict(data.X)->cols == 3);
  std::string_view objectives;
  for (const auto& rule : xgboost_rules()) {
    if (rule.name == "objective") objectives = rule.choices;
  }
  for (double& y : data.y) y = y > 1 ? 1 : 0.5;  // fits all that is not a class
  Dataset classes = data;
  for (double& y : classes.y) y = y > 0.7 ? 1 : 0;
  Dataset queries = classes;
  for (std::size_t i = 0; i < queries.y.size(); ++i) queries.groups.push_back(static_cast<double>(i / 10));
  while (!objectives.empty()) {
    const std::string objective(objectives.substr(0, objectives.find('|')));
    objectives.remove_prefix(std::min(objectives.size(), objective.size() + 1));
    if (objective.starts_with("multi:")) continue;
    CAPTURE(objective);
    const auto fitted =
        try_fit({{"num_round", "2"}, {"objective", objective}}, objective.starts_with("binary:") ? classes
                                                                : objective.starts_with("rank:") ? queries
                                                                                                 : data);
    CHECK_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  }
}

TEST_CASE("xgboost: what it does not take is refused with what it takes") {
  const Dataset data = sample_data(SampleTask::Regression, 50, 3, 6);
  const auto refusal = [&](HyperParameters parameters) {
    parameters["num_round"] = "1";
    const auto fitted = try_fit(parameters, data);
    REQUIRE(!fitted);
    CHECK(fitted.error().code == ErrorCode::InvalidArgument);
    return fitted.error().message;
  };
  CHECK(refusal({{"eval_metric", "luck"}}) == "eval_metric 'luck' is not one of xgboost's");
  CHECK(refusal({{"eval_metric", "mlogloss"}}) ==
        "eval_metric mlogloss is for multi:softprob, not for reg:squarederror");
  CHECK(refusal({{"eval_metric", "rmse@3"}}).starts_with("eval_metric 'rmse@3'"));
  CHECK(refusal({{"monotone_constraints", "(1,0,0,0,0,1)"}, {"tree_method", "exact"}}) ==
        "hyperparameter 'monotone_constraints' has 6 entries, but train has 3 features");
  CHECK(refusal({{"monotone_constraints", "(1,0,2)"}}) ==
        "hyperparameter 'monotone_constraints' is '(1,0,2)': expected 1, 0 or -1 for each feature, like "
        "(1,0,-1)");
  CHECK(
      refusal({{"interaction_constraints", "[[0,1],[3]]"}}) ==
      "hyperparameter 'interaction_constraints' names feature 3, but train has 3 features, numbered from 0");
  CHECK(refusal({{"interaction_constraints", "[0"}}).ends_with("like [[0,1],[2,3,4]]"));
  CHECK(refusal({{"updater", "refresh"}}).ends_with("refresh needs a model to begin with"));
  CHECK(refusal({{"subsample", "0"}}) == "hyperparameter 'subsample' is '0': expected a number above 0");
  CHECK(
      refusal({{"objective", "reg:logistic"}, {"base_score", "1"}}) ==
      "hyperparameter 'base_score' is '1': expected a number above 0 and below 1, as objective reg:logistic "
      "gives chances");
  const auto target = try_fit({{"num_round", "1"}, {"objective", "reg:gamma"}}, data);
  REQUIRE(!target);
  CHECK(target.error().message.ends_with("a target of objective reg:gamma must be above 0"));
}

TEST_CASE("xgboost: a model whose indices lie is refused") {
  const Dataset data = sample_data(SampleTask::Regression, 100, 3, 7);
  const Json good = model_of(fit_trees({{"num_round", "2"}}, data));
  const auto loads = [&](const std::function<void(Json&)>& change) {
    Json bad = good;
    change(bad);
    const auto loaded = load_xgboost(bad.dump());
    if (!loaded) CHECK(loaded.error().code == ErrorCode::DataLoss);
    return loaded.has_value();
  };
  const auto tree = [](Json& j) -> Json& { return j["learner"]["gradient_booster"]["model"]["trees"][0]; };
  const auto parameters = [](Json& j) -> Json& {
    return j["learner"]["gradient_booster"]["model"]["gbtree_model_param"];
  };
  CHECK(loads([](Json&) {}));
  CHECK(!loads([&](Json& j) { tree(j)["left_children"][0] = 100000; }));
  CHECK(!loads([&](Json& j) { tree(j)["left_children"][1] = 0; }));  // a circle
  CHECK(!loads([&](Json& j) { tree(j)["split_indices"][0] = 3; }));
  CHECK(!loads([&](Json& j) { tree(j)["split_conditions"].erase(0); }));
  CHECK(!loads([&](Json& j) { tree(j)["split_type"][0] = 1; }));
  CHECK(!loads([&](Json& j) { j["learner"]["gradient_booster"]["model"]["tree_info"][1] = 7; }));
  CHECK(!loads([&](Json& j) { parameters(j)["num_parallel_tree"] = "0"; }));
  CHECK(!loads([&](Json& j) { parameters(j)["num_trees"] = "9"; }));
  CHECK(!loads([](Json& j) { j["learner"]["learner_model_param"]["num_feature"] = "99999999999"; }));
  CHECK(!loads([](Json& j) { j["learner"]["learner_model_param"]["num_class"] = "-2"; }));
  CHECK(!loads([](Json& j) { j["learner"]["objective"]["name"] = "reg:nothing"; }));
  CHECK(!loads([](Json& j) { j["learner"]["gradient_booster"]["name"] = "gbforest"; }));
}
