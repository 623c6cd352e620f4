#include "tasks/evaluation/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {
struct Sample {
  std::vector<double> labels;
  Matrix good{2000, 1}, bad{2000, 1};
};
Sample sample() {
  Random random(3);
  Sample out;
  for (std::size_t i = 0; i < 2000; ++i) {
    const double p = random.uniform();
    out.labels.push_back(random.uniform() < p);
    out.good.at(i, 0) = static_cast<float>(p);
    out.bad.at(i, 0) = static_cast<float>(0.5 * p + 0.5 * random.uniform());
  }
  return out;
}
EvaluationSettings settings_for(const char* task) {
  EvaluationSettings settings;
  settings.task = task;
  settings.seed = 1;
  return settings;
}
}  // namespace

TEST_CASE("evaluate: the report has SageMaker's shape, standard deviations near theory, and plots") {
  const Sample s = sample();
  EvaluationSettings settings = settings_for("binary");
  settings.classes = {"no", "yes"};
  auto out = evaluate(s.labels, s.good, settings);
  REQUIRE(out);
  const Json& m = out->report["binary_classification_metrics"];
  const double accuracy = m["accuracy"]["value"];
  // The accuracy is a mean of n rows: its standard deviation is sqrt(p (1 - p) / n).
  CHECK(m["accuracy"]["standard_deviation"].get<double>() ==
        doctest::Approx(std::sqrt(accuracy * (1 - accuracy) / 2000)).epsilon(0.15));
  CHECK(m["auc"]["value"].get<double>() ==
        doctest::Approx(5.0 / 6).epsilon(0.03));  // P(y=1|p) = p, p uniform: 5/6
  const Json& c = m["confusion_matrix"];
  CHECK(c["no"]["no"].get<double>() + c["yes"]["yes"].get<double>() == doctest::Approx(accuracy * 2000));
  for (const char* name : {"roc.svg", "precision_recall.svg", "calibration.svg", "confusion.svg"})
    CHECK(out->plots[name].starts_with("<svg"));
  CHECK(evaluate(s.labels, s.good, settings)->report == out->report);
}

TEST_CASE("evaluate: a better challenger is told apart, an equal one is not") {
  const Sample s = sample();
  auto better = compare(s.labels, s.good, s.bad, settings_for("binary"));
  REQUIRE(better);
  CHECK((*better)["auc"]["interval_95"][0].get<double>() > 0);
  CHECK((*better)["logloss"]["interval_95"][1].get<double>() < 0);
  CHECK((*compare(s.labels, s.good, s.good, settings_for("binary")))["auc"]["difference"] == 0);
}

TEST_CASE("evaluate: classes, regression, and what does not fit") {
  Matrix p(2, 3);
  p.values = {0.7f, 0.2f, 0.1f, 0.1f, 0.1f, 0.8f};
  const std::vector<double> y = {0, 2};
  auto classes = evaluate(y, p, settings_for("multiclass"));
  REQUIRE(classes);
  CHECK(classes->report["multiclass_classification_metrics"]["accuracy"]["value"] == 1.0);
  Matrix r(2, 1);
  r.values = {1, 2};
  auto regression = evaluate(y, r, settings_for("regression"));
  REQUIRE(regression);
  CHECK(regression->report["regression_metrics"]["mse"]["value"] == 0.5);
  CHECK(regression->plots.contains("residuals.svg"));
  CHECK(evaluate(y, r, settings_for("binary")).error().message == "row 2: the target 2 is no binary target");
  CHECK(!evaluate(y, p, settings_for("binary")));
  CHECK(!evaluate({}, Matrix(), settings_for("regression")));
  EvaluationSettings stopped = settings_for("regression");
  stopped.cancelled = [] { return true; };
  CHECK(evaluate(y, r, stopped).error().code == ErrorCode::Cancelled);
}
