#include "tasks/evaluation/metrics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/random.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {
double value(const MetricValues& values, std::string_view name) {
  for (const auto& [n, v] : values) {
    if (n == name) return v;
  }
  FAIL("no metric " << name);
  return 0;
}
}  // namespace

TEST_CASE("binary metrics: the example of scikit-learn's documentation") {
  // roc_auc_score and average_precision_score, "Examples": y = 0 0 1 1, scores .1 .4 .35 .8 give 0.75 and
  // 0.83.
  const std::vector<double> y = {0, 0, 1, 1}, s = {0.1, 0.4, 0.35, 0.8};
  const BinaryScores scores(y, s);
  const MetricValues m = scores.metrics(0.5);
  CHECK(value(m, "auc") == 0.75);
  CHECK(value(m, "aucpr") == doctest::Approx(0.8333333333));
  CHECK(value(m, "accuracy") == 0.75);
  CHECK(value(m, "precision") == 1);
  CHECK(value(m, "recall") == 0.5);
  CHECK(value(m, "f1") == doctest::Approx(2.0 / 3));
  CHECK(value(m, "logloss") ==
        doctest::Approx(-(std::log(0.9) + std::log(0.6) + std::log(0.35) + std::log(0.8)) / 4));
  CHECK(value(m, "brier") == doctest::Approx((0.01 + 0.16 + 0.4225 + 0.04) / 4));
  CHECK(scores.best_f1().first == 0.35);  // 2 of 2 positives, 1 false: 0.8
  CHECK(scores.best_f1().second == doctest::Approx(0.8));
}

TEST_CASE(
    "binary metrics: auc with ties is the share of pairs in order, ties half; counts act as repeated rows") {
  Random random(2);
  std::vector<double> y, s, w, y2, s2;
  for (int i = 0; i < 200; ++i) {
    y.push_back(static_cast<double>(random.below(2)));
    s.push_back(static_cast<double>(random.below(10)) / 10);
    w.push_back(static_cast<double>(random.below(4)));
    for (int k = 0; k < w.back(); ++k) y2.push_back(y.back()), s2.push_back(s.back());
  }
  double pairs = 0, in_order = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (y[i] != 1 || y[j] != 0) continue;
      ++pairs;
      in_order += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
    }
  }
  CHECK(value(BinaryScores(y, s).metrics(0.5), "auc") == doctest::Approx(in_order / pairs));
  const MetricValues weighted = BinaryScores(y, s).metrics(0.3, w),
                     repeated = BinaryScores(y2, s2).metrics(0.3);
  for (std::size_t i = 0; i < weighted.size(); ++i)
    CHECK(weighted[i].second == doctest::Approx(repeated[i].second));
  CHECK(value(BinaryScores(std::vector<double>{1, 1}, std::vector<double>{0, 1}).metrics(0.5), "auc") == 0.5);
}

TEST_CASE("class and regression metrics: values worked out by hand") {
  Matrix p(3, 3);
  p.values = {0.7f, 0.2f, 0.1f, 0.5f, 0.3f, 0.2f, 0.1f, 0.1f, 0.8f};
  const std::vector<double> y = {0, 1, 2};
  const MetricValues m = class_metrics(y, p);
  CHECK(value(m, "accuracy") == doctest::Approx(2.0 / 3));
  CHECK(value(m, "macro_f1") == doctest::Approx((2.0 / 3 + 0 + 1) / 3));
  CHECK(value(m, "mlogloss") == doctest::Approx(-(std::log(0.7) + std::log(0.3) + std::log(0.8)) / 3));
  CHECK(confusion_matrix(y, p) == std::vector<double>{1, 0, 0, 1, 0, 0, 0, 0, 1});
  // scikit-learn, r2_score "Examples": 0.948...
  const std::vector<double> truth = {3, -0.5, 2, 7}, guess = {2.5, 0.0, 2, 8};
  const MetricValues r = regression_metrics(truth, guess);
  CHECK(value(r, "r2") == doctest::Approx(0.948608137));
  CHECK(value(r, "mae") == 0.5);
  CHECK(value(r, "mse") == 0.375);
  CHECK(value(r, "mape") == doctest::Approx(0.3273809523));
}
