#include "tasks/training/forest.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"
#include "tests/tasks/training/public_data.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<Fitted> grow_forest(std::string_view algorithm, HyperParameters parameters, const Dataset& train,
                           const FitContext& context = {}, const Dataset* validation = nullptr) {
  MR_TRY(estimator, find_estimator(algorithm)->make(parameters));
  return estimator->fit(train, validation, context);
}

// One column; y by row.
Dataset column_of(const std::vector<float>& x, const std::vector<double>& y) {
  Dataset data;
  data.X = Matrix(x.size(), 1);
  data.X.values = x, data.y = y;
  data.feature_names = {"x"}, data.target_name = "y";
  return data;
}

std::vector<float> answers(const Model& model, const std::vector<float>& x) {
  Matrix rows(x.size(), 1);
  rows.values = x;
  return model.predict(rows)->values;
}

double right_share(const Model& model, const Dataset& test) {
  const Matrix p = *model.predict(test.X);
  double right = 0;
  for (std::size_t i = 0; i < p.rows; ++i) {
    const float* row = &p.values[i * p.cols];
    right += std::max_element(row, row + p.cols) - row == static_cast<std::ptrdiff_t>(test.y[i]);
  }
  return right / static_cast<double>(p.rows);
}

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("forest: a tree on all rows answers what its leaves hold") {
  const Dataset train = column_of({1, 2, 3, 4, 5, 6}, {0, 0, 1, 2, 2, 2});
  const HyperParameters classes = {{"predictor_type", "multiclass_classifier"},
                                   {"num_classes", "3"},
                                   {"n_estimators", "1"},
                                   {"bootstrap", "false"},
                                   {"max_depth", "1"}};
  // Gini: the split behind 3 leaves 4/9 * 3 and 0, that behind 2 leaves 0 and 6/16 * 4: the latter is larger.
  const auto stump = grow_forest("random-forest", classes, train);
  REQUIRE_MESSAGE(stump.has_value(), (stump ? "" : stump.error().message));
  const std::vector<float> p = answers(*stump->model, {1, 6});
  CHECK(p[0] == doctest::Approx(2.0 / 3));
  CHECK(p[1] == doctest::Approx(1.0 / 3));
  CHECK(p[5] == 1);
  HyperParameters deep = classes;
  deep.erase("max_depth");
  const std::vector<float> q = answers(*grow_forest("random-forest", deep, train)->model, {2, 3, 4});
  CHECK(q == std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 1});

  const HyperParameters numbers = {{"predictor_type", "regressor"},
                                   {"n_estimators", "1"},
                                   {"bootstrap", "false"},
                                   {"min_samples_leaf", "2"}};
  const std::vector<float> means =
      answers(*grow_forest("random-forest", numbers, column_of({1, 2, 3, 4}, {1, 3, 10, 20}))->model, {1, 4});
  CHECK(means[0] == doctest::Approx(2));
  CHECK(means[1] == doctest::Approx(15));
}

TEST_CASE("forest: missing values go where they fit, in every kind of tree") {
  const std::vector<float> x = {1, 2, 3, kNone, kNone, kNone};
  for (const std::string_view algorithm : {"random-forest", "extra-trees"}) {
    CAPTURE(algorithm);
    HyperParameters parameters = {{"n_estimators", "1"}, {"bootstrap", "false"}};
    parameters["predictor_type"] = "binary_classifier";
    auto fitted = grow_forest(algorithm, parameters, column_of(x, {0, 0, 0, 1, 1, 1}));
    CHECK(answers(*fitted->model, {2, kNone}) == std::vector<float>{0, 1});
    parameters["predictor_type"] = "multiclass_classifier", parameters["num_classes"] = "3";
    fitted = grow_forest(algorithm, parameters, column_of(x, {0, 1, 1, 2, 2, 2}));
    CHECK(answers(*fitted->model, {1, 3, kNone}) == std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 1});
  }
}

TEST_CASE("forest: rows out of the bag are judged by the trees that have not seen them") {
  Dataset noise = sample_data(SampleTask::Binary, 400, 4, 31);
  Random random(32);
  for (double& y : noise.y) y = static_cast<double>(random.below(2));
  const HyperParameters parameters = {
      {"predictor_type", "binary_classifier"}, {"n_estimators", "60"}, {"oob_score", "true"}};
  const auto fitted = grow_forest("random-forest", parameters, noise);
  REQUIRE(fitted.has_value());
  CHECK(fitted->metrics.at("train:oob_score") > 0.38);  // there is nothing to learn
  CHECK(fitted->metrics.at("train:oob_score") < 0.62);
  const Matrix p = *fitted->model->predict(noise.X);  // and the trees know their rows by heart
  double right = 0;
  for (std::size_t i = 0; i < p.rows; ++i) right += (p.at(i, 0) > 0.5f) == (noise.y[i] > 0.5);
  CHECK(right / 400 > 0.95);
}

TEST_CASE("forest: more threads, and metrics of a validation channel, change no byte") {
  const Dataset train = sample_data(SampleTask::Regression, 700, 6, 33),
                validation = sample_data(SampleTask::Regression, 200, 6, 34);
  const HyperParameters parameters = {{"predictor_type", "regressor"}, {"n_estimators", "17"}};
  FitContext context;
  context.seed = 5;
  for (const std::string_view algorithm : {"random-forest", "extra-trees"}) {
    const auto one = grow_forest(algorithm, parameters, train, context);
    context.threads = 4;
    const auto four = grow_forest(algorithm, parameters, train, context, &validation);
    CHECK(one->model->save() == four->model->save());
    const Matrix p = *four->model->predict(validation.X);
    double squares = 0;
    for (std::size_t i = 0; i < p.rows; ++i) squares += std::pow(p.at(i, 0) - validation.y[i], 2);
    CHECK(four->metrics.at("validation:mse") == doctest::Approx(squares / 200).epsilon(1e-4));
    context.threads = 1, context.seed = 6;
    CHECK(grow_forest(algorithm, parameters, train, context)->model->save() != one->model->save());
    context.seed = 5;
  }
}

TEST_CASE("forest: contributions of features sum to the answer") {
  const Dataset train = sample_data(SampleTask::Binary, 300, 5, 35);
  const auto fitted = grow_forest(
      "random-forest", {{"predictor_type", "binary_classifier"}, {"n_estimators", "12"}, {"max_depth", "6"}},
      train);
  const trees::Ensemble* ensemble = ensemble_of(*fitted->model);
  REQUIRE(ensemble != nullptr);
  const trees::Explainer explainer(*ensemble, 0);
  std::vector<float> parts(300 * 6);
  trees::Team alone(1);
  explainer.contributions(train.X, alone, parts.data());
  const Matrix p = *fitted->model->predict(train.X);
  for (std::size_t i = 0; i < 300; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 6; ++j) sum += static_cast<double>(parts[i * 6 + j]);
    CHECK(sum == doctest::Approx(p.at(i, 0)).epsilon(1e-4));
  }
}

TEST_CASE("forest: hyperparameters that do not fit are refused by name") {
  const auto refused = [](HyperParameters parameters) {
    parameters.emplace("predictor_type", "binary_classifier");
    const auto made = find_estimator("random-forest")->make(parameters);
    REQUIRE(!made);
    return made.error().message;
  };
  CHECK(refused({{"max_features", "1.5"}}).starts_with("hyperparameter 'max_features' is '1.5': expected"));
  CHECK(refused({{"max_features", "many"}}).starts_with("hyperparameter 'max_features' is 'many'"));
  CHECK(refused({{"oob_score", "true"}, {"bootstrap", "false"}}).find("needs bootstrap") !=
        std::string::npos);
  CHECK(refused({{"predictor_type", "regressor"}, {"class_weight", "balanced"}}) ==
        "hyperparameter 'class_weight' is for classifiers");
  CHECK(refused({{"n_estimator", "5"}}).find("did you mean 'n_estimators'?") != std::string::npos);
  CHECK(refused({{"max_depth", "0"}}).find("max_depth") != std::string::npos);
}

TEST_CASE("forest: as good as scikit-learn's on letter and satellite") {
  struct Bar {
    const char *set, *classes;
    double accuracy;
  };
  for (const Bar& bar : {Bar{"letter", "26", 0.9692}, Bar{"satellite", "6", 0.9085}}) {
    const auto source = open_source(bar.set);
    if (!source) continue;
    const Parts parts = make_parts(*source, Encoding::Codes);
    FitContext context;
    context.threads = 2;
    const auto fitted = grow_forest(
        "extra-trees",
        {{"predictor_type", "multiclass_classifier"}, {"num_classes", bar.classes}, {"n_estimators", "300"}},
        parts.train, context);
    REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
    const double accuracy = right_share(*fitted->model, parts.test);
    MESSAGE(std::string(bar.set) << ": accuracy " << accuracy << " (scikit-learn " << bar.accuracy << ")");
    // Within a standard error of the test rows.
    const double error =
        std::sqrt(bar.accuracy * (1 - bar.accuracy) / static_cast<double>(parts.test.y.size()));
    CHECK(accuracy > bar.accuracy - error);
  }
}
