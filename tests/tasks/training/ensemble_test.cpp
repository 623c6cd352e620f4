#include "tasks/training/ensemble/ensemble.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<Fitted> fit_ensemble(const HyperParameters& parameters, const Dataset& train,
                            const Dataset* validation = nullptr) {
  MR_TRY(estimator, make_ensemble(parameters));
  return estimator->fit(train, validation, {});
}

std::string refused(HyperParameters parameters) {
  const auto made = make_ensemble(parameters);
  return made ? "accepted" : made.error().message;
}

}  // namespace

TEST_CASE("dense rows: gaps, broken cells, categories, rare ones") {
  const float nan = std::nanf("");
  Matrix X(40, 3);
  for (std::size_t i = 0; i < 40; ++i) {
    X.at(i, 0) = static_cast<float>(i);
    X.at(i, 1) = i % 4 == 0 ? nan : static_cast<float>(i % 2);
    X.at(i, 2) = i < 20 ? 1 : i < 38 ? 5 : 9;
  }
  X.at(39, 0) = 1e30f;
  const DenseRows dense = DenseRows::fit(X, {false, false, true});
  CHECK(dense.outputs() == 1 + 2 + 2);  // the code 9 has two rows
  const Matrix out = dense.apply(X);
  for (const float x : out.values) CHECK((std::isfinite(x) && std::abs(x) <= 3.0f));
  CHECK(out.at(39, 0) == doctest::Approx(3));
  CHECK(out.at(20, 0) == 0);  // the median
  CHECK(out.at(0, 1) == 0);
  CHECK(out.at(0, 2) == 1);
  CHECK(out.at(1, 2) == 0);
  CHECK((out.at(0, 3) == 1 && out.at(0, 4) == 0));
  CHECK((out.at(25, 3) == 0 && out.at(25, 4) == 1));
  CHECK((out.at(39, 3) == 0 && out.at(39, 4) == 0));
}

TEST_CASE("ensemble: folds are stratified, of about one size, and the same again") {
  std::vector<double> y(103);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = i < 90 ? 0 : 1;
  const auto folds = assign_folds(y, 2, 5, 4);
  CHECK(folds == assign_folds(y, 2, 5, 4));
  CHECK(folds != assign_folds(y, 2, 5, 5));
  for (std::uint32_t f = 0; f < 5; ++f) {
    const auto rows = std::ranges::count(folds, f);
    CHECK((rows == 20 || rows == 21));
    std::int64_t rare = 0;
    for (std::size_t i = 90; i < 103; ++i) rare += folds[i] == f;
    CHECK((rare == 2 || rare == 3));
  }
}

// By hand: the first member is right about class 1 with 0.9, the second with 0.6, the third is always wrong.
TEST_CASE("ensemble: greedy selection prefers what is better and leaves out what hurts") {
  EnsembleShape shape;
  const std::vector<double> y = {1, 0, 1, 0};
  const auto shares = [](std::vector<float> values) {
    Matrix m(4, 1);
    m.values = std::move(values);
    return m;
  };
  const std::vector<Matrix> members = {shares({.9f, .1f, .9f, .1f}), shares({.6f, .4f, .6f, .4f}),
                                       shares({.1f, .9f, .1f, .9f})};
  CHECK(select_weights(shape, members, y, 20) == std::vector<double>{1, 0, 0});
  // Two that are wrong about different rows are better together than alone.
  const std::vector<Matrix> halves = {shares({.99f, .01f, .3f, .4f}), shares({.3f, .4f, .99f, .01f})};
  const auto weights = select_weights(shape, halves, y, 20);
  CHECK(weights[0] == doctest::Approx(0.5));
  CHECK(weights[1] == doctest::Approx(0.5));
}

TEST_CASE("ensemble: its metrics are of held-out rows, and no worse than its best member's") {
  const Dataset train = sample_data(SampleTask::Binary, 400, 4, 1);
  const std::string xgb = R"({"algorithm": "xgboost", "hyperparameters": {"num_round": 200, "eta": 1}})",
                    linear = R"({"algorithm": "linear-learner"})";
  const auto loss = [&](const std::string& members) {
    const auto fitted =
        fit_ensemble({{"predictor_type", "binary_classifier"}, {"members", "[" + members + "]"}}, train);
    REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
    CHECK(fitted->metrics.contains("validation:auc"));
    return fitted->metrics.at("validation:logloss");
  };
  const double both = loss(xgb + "," + linear);
  CHECK(both <= std::min(loss(xgb), loss(linear)) + 1e-9);
  // Deep trees know the rows they were grown on by heart: a metric of those would be next to 0.
  CHECK(loss(xgb) > 0.05);
}

TEST_CASE("ensemble: a regressor's answers stay within the targets of train, whatever the row") {
  Dataset train = sample_data(SampleTask::Regression, 300, 3, 2);
  const auto [least, most] = std::ranges::minmax(train.y);
  const auto fitted = fit_ensemble(
      {{"predictor_type", "regressor"}, {"folds", "3"}, {"members", R"([{"algorithm": "linear-learner"}])"}},
      train);
  REQUIRE(fitted.has_value());
  Matrix far(2, 3);
  for (std::size_t j = 0; j < 3; ++j) far.at(0, j) = j == 1 ? -1e6f : 1e6f, far.at(1, j) = std::nanf("");
  const auto answers = fitted->model->predict(far);
  REQUIRE(answers.has_value());
  CHECK(static_cast<double>(answers->at(0, 0)) <= most + 1e-6);
  CHECK(static_cast<double>(answers->at(1, 0)) >= least - 1e-6);
  CHECK(fitted->metrics.at("validation:rmse") < 2);
}

TEST_CASE("ensemble: a validation channel is what is held out; categories are codes") {
  Dataset train = sample_data(SampleTask::Regression, 300, 3, 3),
          validation = sample_data(SampleTask::Regression, 100, 3, 4);
  Random random(5);
  for (Dataset* data : {&train, &validation}) {
    for (std::size_t i = 0; i < data->X.rows; ++i) {
      const auto code = random.below(6);
      data->X.at(i, 2) = static_cast<float>(code);
      data->y[i] = code % 2 == 0 ? 5 : -5;  // no order in it
    }
  }
  HyperParameters parameters = {
      {"predictor_type", "regressor"},
      {"members", R"([{"algorithm": "linear-learner", "hyperparameters": {"epochs": 50}}])"}};
  const auto as_numbers = fit_ensemble(parameters, train, &validation);
  parameters["categorical_features"] = R"(["x2"])";
  const auto as_codes = fit_ensemble(parameters, train, &validation);
  REQUIRE(as_numbers.has_value());
  REQUIRE_MESSAGE(as_codes.has_value(), (as_codes ? "" : as_codes.error().message));
  CHECK(as_numbers->metrics.at("validation:rmse") > 4);
  CHECK(as_codes->metrics.at("validation:rmse") < 0.5);
  parameters["categorical_features"] = R"(["x9"])";
  CHECK(fit_ensemble(parameters, train, &validation).error().message ==
        "hyperparameter 'categorical_features': there is no feature 'x9'");
}

TEST_CASE("ensemble: settings that are wrong are refused by their place") {
  HyperParameters good = {{"predictor_type", "binary_classifier"},
                          {"members", R"([{"algorithm": "xgboost"}])"}};
  const auto with = [&](const char* name, const char* value) {
    HyperParameters parameters = good;
    parameters[name] = value;
    return refused(parameters);
  };
  CHECK(refused(good) == "accepted");
  CHECK(with("members", "[]").starts_with("hyperparameter 'members': expected a JSON list"));
  CHECK(with("members", R"([{"algorithm": "xgboost"}, {"algorithm": "pca"}])") ==
        "hyperparameter 'members'[1].algorithm: 'pca' can't be a member");
  CHECK(with("members", R"([{"algorithm": "xgboost", "hyperparameters": {"max_dept": 3}}])")
            .starts_with("hyperparameter 'members'[0]: hyperparameter 'max_dept' is not one of xgboost's"));
  CHECK(with("members", R"([{"algorithm": "xgboost", "hyperparameters": {"objective": "reg:gamma"}}])")
            .find("'objective' follows from the ensemble's") != std::string::npos);
  CHECK(with("members", R"([{"algorithm": "xgboost", "weight": 1}, {"algorithm": "mlp"}])") ==
        "hyperparameter 'members': give all of them a weight, or none");
  CHECK(with("num_classes", "3") == "hyperparameter 'num_classes' is for a multiclass_classifier");
  CHECK(with("categorical_features", "a,b") ==
        "hyperparameter 'categorical_features': expected a JSON list of names");
}
