#include "tasks/training/linear_learner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/encoding.h"
#include "tasks/training/linear_loss.h"
#include "tasks/training/linear_metrics.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Fitted fit_linear(HyperParameters parameters, const Dataset& train, const Dataset* validation = nullptr) {
  auto estimator = make_linear_learner(parameters);
  REQUIRE_MESSAGE(estimator.has_value(), (estimator ? "" : estimator.error().message));
  auto fitted = (*estimator)->fit(train, validation, {});
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

// The weights and the bias of a regression or binary model, read off its bytes.
std::vector<double> weights_of(const Model& model) {
  const std::string bytes = model.save();
  std::vector<double> weights(model.n_features() + 1);
  std::copy_n(bytes.data() + 22, weights.size() * 8, reinterpret_cast<char*>(weights.data()));
  return weights;
}

std::string linear_refusal(HyperParameters parameters) {
  const auto estimator = make_linear_learner(parameters);
  return estimator ? "accepted" : estimator.error().message;
}

}  // namespace

TEST_CASE("linear losses: derivatives agree with differences, and nothing overflows") {
  for (const LossKind kind :
       {LossKind::Logistic, LossKind::Hinge, LossKind::Squared, LossKind::Absolute, LossKind::Huber,
        LossKind::Quantile, LossKind::EpsSquared, LossKind::EpsAbsolute}) {
    const Loss loss{kind, 0.3};
    for (const double score : {-2.1, -0.4, 0.15, 0.9, 3.7}) {
      double at = score, above = score + 1e-6, below = score - 1e-6;
      const double difference =
          loss_and_derivative(loss, &above, 1, 1) - loss_and_derivative(loss, &below, 1, 1);
      loss_and_derivative(loss, &at, 1, 1);
      CHECK(at == doctest::Approx(difference / 2e-6).epsilon(1e-4));
    }
    double huge = 1e6;
    CHECK(std::isfinite(loss_and_derivative(loss, &huge, 1, 0)));
  }
  double scores[3] = {1000, 0, -1000};
  CHECK(loss_and_derivative({LossKind::Softmax, 0}, scores, 3, 0) == doctest::Approx(0));
  CHECK(scores[0] == doctest::Approx(0));
}

TEST_CASE("linear regression without penalty is the least-squares line") {
  Dataset data;
  data.X = Matrix(4, 1);
  data.X.values = {0, 1, 2, 3};
  data.y = {1, 2, 2, 4};  // by the normal equations: slope 0.9, intercept 0.9
  const auto fitted = fit_linear({{"predictor_type", "regressor"}, {"wd", "0"}}, data);
  const auto w = weights_of(*fitted.model);
  CHECK(w[0] == doctest::Approx(0.9).epsilon(1e-6));
  CHECK(w[1] == doctest::Approx(0.9).epsilon(1e-6));
  // Weights: the last row does not count.
  data.weights = {1, 1, 1, 0};
  const auto without = weights_of(*fit_linear({{"predictor_type", "regressor"}, {"wd", "0"}}, data).model);
  CHECK(without[0] == doctest::Approx(0.5).epsilon(1e-6));
  CHECK(without[1] == doctest::Approx(7.0 / 6).epsilon(1e-6));
}

TEST_CASE("linear-learner: L1 gives exact zeros, and L2 shrinks") {
  const Dataset data = sample_data(SampleTask::Regression, 500, 8, 1);
  const HyperParameters base{{"predictor_type", "regressor"}, {"wd", "0"}};
  HyperParameters lasso = base, ridge = base;
  lasso["l1"] = "0.1", ridge["wd"] = "1";
  const auto plain = weights_of(*fit_linear(base, data).model),
             sparse = weights_of(*fit_linear(lasso, data).model),
             small = weights_of(*fit_linear(ridge, data).model);
  CHECK(plain[0] == doctest::Approx(3).epsilon(0.02));
  CHECK(plain[8] == doctest::Approx(1).epsilon(0.02));
  for (std::size_t j = 3; j < 8; ++j) {
    CHECK(plain[j] != 0);
    CHECK(sparse[j] == 0);
  }
  CHECK(sparse[0] > 2);
  CHECK(small[0] == doctest::Approx(plain[0] / 2).epsilon(0.05));  // (X'X/n + 1)^-1 with X'X/n near 1
}

TEST_CASE("linear-learner: quantile, absolute and huber losses find quantiles and shrug off outliers") {
  Dataset data = sample_data(SampleTask::Regression, 2000, 2, 2);
  Random random(3);
  for (double& y : data.y) y += random.normal();
  const auto share_below = [&](const Model& model) {
    const auto p = model.predict(data.X);
    double below = 0;
    for (std::size_t i = 0; i < data.y.size(); ++i) below += data.y[i] < static_cast<double>(p->at(i, 0));
    return below / 2000;
  };
  HyperParameters quantile{
      {"predictor_type", "regressor"}, {"loss", "quantile_loss"}, {"quantile", "0.9"},
      {"mini_batch_size", "50"},       {"epochs", "40"},          {"early_stopping_patience", "40"}};
  CHECK(share_below(*fit_linear(quantile, data).model) == doctest::Approx(0.9).epsilon(0.03));
  for (std::size_t i = 0; i < 40; ++i) data.y[i] = 10000;
  const auto error = [&](HyperParameters parameters) {
    return std::abs(weights_of(*fit_linear(parameters, data).model)[2] - 1);
  };
  CHECK(error({{"predictor_type", "regressor"}}) > 100);
  CHECK(error({{"predictor_type", "regressor"}, {"loss", "huber_loss"}, {"huber_delta", "0.002"}}) < 5);
}

TEST_CASE("linear-learner: every optimizer comes near the full-batch answer") {
  const Dataset data = sample_data(SampleTask::Binary, 2000, 4, 4);
  const HyperParameters base{{"predictor_type", "binary_classifier"}, {"wd", "0.01"}};
  const auto exact = fit_linear(base, data);
  for (const char* optimizer : {"adam", "sgd", "rmsprop"}) {
    CAPTURE(std::string(optimizer));
    HyperParameters parameters = base;
    parameters["optimizer"] = optimizer, parameters["mini_batch_size"] = "50", parameters["epochs"] = "30",
    parameters["early_stopping_patience"] = "30";
    CHECK(fit_linear(parameters, data).metrics.at("train:objective_loss") <
          exact.metrics.at("train:objective_loss") + 0.01);
  }
}

TEST_CASE("linear-learner: a balanced weight of the positive class raises recall") {
  Dataset data = sample_data(SampleTask::Binary, 3000, 3, 5);
  for (std::size_t i = 0; i < data.y.size(); ++i)
    data.y[i] = data.y[i] > 0.5 && data.X.at(i, 2) > 0.8f ? 1 : 0;
  HyperParameters parameters{{"predictor_type", "binary_classifier"}};
  const double plain = fit_linear(parameters, data, &data).metrics.at("validation:recall");
  parameters["positive_example_weight_mult"] = "balanced";
  const double balanced = fit_linear(parameters, data, &data).metrics.at("validation:recall");
  CHECK(balanced > plain + 0.1);
}

TEST_CASE("linear-learner: metrics of a case worked by hand") {
  Dataset data;
  data.X = Matrix(4, 1);
  data.X.values = {-2, -1, 1, 2};
  data.y = {0, 1, 0, 1};
  const auto metrics =
      fit_linear({{"predictor_type", "binary_classifier"}, {"wd", "0.1"}}, data, &data).metrics;
  // Scores rise with x: of the four pairs (1, 0), three are in order; two rows are right, one true and one
  // false positive.
  CHECK(metrics.at("validation:roc_auc_score") == doctest::Approx(0.75));
  CHECK(metrics.at("validation:binary_classification_accuracy") == doctest::Approx(0.5));
  CHECK(metrics.at("validation:precision") == doctest::Approx(0.5));
  CHECK(metrics.at("validation:recall") == doctest::Approx(0.5));
}

TEST_CASE("linear-learner: settings that do not fit each other are refused") {
  CHECK(linear_refusal({}) ==
        "hyperparameter 'predictor_type' is required by linear-learner: expected one of "
        "binary_classifier|multiclass_classifier|regressor");
  CHECK(linear_refusal({{"predictor_type", "multiclass_classifier"}}) ==
        "hyperparameter 'num_classes' is required for a multiclass_classifier");
  CHECK(linear_refusal({{"predictor_type", "regressor"}, {"loss", "hinge_loss"}}) ==
        "loss hinge_loss is not for a regressor");
  CHECK(linear_refusal({{"predictor_type", "regressor"}, {"learning_rate", "fast"}})
            .starts_with("hyperparameter 'learning_rate' is 'fast': expected a number from "));
  CHECK(linear_refusal({{"predictor_type", "regressor"}, {"learning_rate", "auto"}}) == "accepted");
  const auto estimator = make_linear_learner({{"predictor_type", "regressor"}, {"feature_dim", "7"}});
  const auto fitted = (*estimator)->fit(sample_data(SampleTask::Regression, 10, 3, 6), nullptr, {});
  REQUIRE(!fitted);
  CHECK(fitted.error().message == "hyperparameter 'feature_dim' is 7, but train has 3 features");
}

TEST_CASE("linear-learner: a forged model with a right checksum and wrong sizes is refused") {
  const auto fitted =
      fit_linear({{"predictor_type", "regressor"}}, sample_data(SampleTask::Regression, 50, 3, 7));
  std::string bytes = fitted.model->save();
  const auto forge = [&](std::size_t at, char value) {
    std::string forged = bytes.substr(0, bytes.size() - 32);
    forged[at] = value;
    return load_linear_learner(forged + digest(Digest::Sha256, forged)).has_value();
  };
  CHECK(load_linear_learner(bytes).has_value());
  CHECK(forge(21, 0));      // the last byte of d, unchanged
  CHECK(!forge(21, 0x7f));  // d beyond all memory
  CHECK(!forge(14, 4));     // d = 4, but weights for 3
  CHECK(!forge(6, 2));      // two outputs of a regression
  CHECK(!forge(5, 9));      // no such kind
}

TEST_CASE("linear threshold: the best by each criterion, worked out by hand") {
  Dataset data;
  data.y = {1, 0, 1, 1, 0, 1, 0};
  Matrix scores(7, 1);
  scores.values = {0.9f, 0.8f, 0.7f, 0.6f, 0.3f, 0.2f, 0.1f};
  const auto best = [&](std::string_view criteria, double target, double f_beta = 1) {
    return doctest::Approx(best_threshold(scores, data, criteria, target, f_beta)).epsilon(1e-6);
  };
  // Five of seven are right above 0.45 and above 0.15; a half is nearer to the first.
  CHECK(0.45 == best("accuracy", 0));
  // Above 0.45: precision and recall 3/4; above 0.15: 4/6 and 1, F1 0.8, and F0.5 0.714 against 0.75.
  CHECK(0.15 == best("f_beta", 0));
  CHECK(0.45 == best("f_beta", 0, 0.5));
  CHECK(0.15 == best("precision_at_target_recall", 0.8));
  CHECK(0.45 == best("precision_at_target_recall", 0.75));
  CHECK(0.45 == best("recall_at_target_precision", 0.7));
  CHECK(0.85 == best("recall_at_target_precision", 0.99));
  // A heavy row of class 0 in front: nothing above it.
  data.weights = {1, 9, 1, 1, 1, 1, 1};
  CHECK(0.85 == best("accuracy", 0));
}

TEST_CASE("linear threshold: chosen on validation, kept in the model, in its metrics and answers") {
  const Dataset train = sample_data(SampleTask::Binary, 400, 4, 1),
                validation = sample_data(SampleTask::Binary, 300, 4, 2);
  const HyperParameters plain{{"predictor_type", "binary_classifier"}};
  HyperParameters chosen = plain;
  chosen["binary_classifier_model_selection_criteria"] = "precision_at_target_recall";
  chosen["target_recall"] = "0.95";
  chosen["num_models"] = "32";
  const Fitted half = fit_linear(plain, train, &validation), fitted = fit_linear(chosen, train, &validation);
  CHECK(half.model->answer_form().threshold == 0.5);
  const double threshold = fitted.model->answer_form().threshold;
  CHECK(threshold != 0.5);
  CHECK(fitted.metrics.at("validation:recall") >= 0.95);
  CHECK(fitted.metrics.at("validation:roc_auc_score") == half.metrics.at("validation:roc_auc_score"));
  CHECK(fitted.model->predict(train.X)->values == half.model->predict(train.X)->values);
  const std::string bytes = fitted.model->save();
  const auto loaded = load_linear_learner(bytes);
  REQUIRE(loaded);
  CHECK((*loaded)->answer_form().threshold == threshold);
  CHECK((*loaded)->save() == bytes);
  CHECK(!load_linear_learner(bytes.substr(0, bytes.size() - 1)));
  // Without a channel validation by the rows of train.
  CHECK(fit_linear(chosen, train).model->answer_form().threshold != 0.5);
  // A regressor has none.
  chosen["predictor_type"] = "regressor";
  CHECK(fit_linear(chosen, train).model->answer_form().threshold == 0.5);
}
