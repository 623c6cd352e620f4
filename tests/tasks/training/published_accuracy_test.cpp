// Accuracy on public data against published figures of XGBoost and scikit-learn on the same split, within one
// standard error of the test rows. Without the data, what estimator_checks_test.cpp and
// linear_learner_test.cpp know by construction stands alone.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tasks/table/csv.h"
#include "tasks/training/estimator.h"
#include "tests/support/libxgboost.h"
#include "tests/tasks/training/public_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Matrix score(const char* algorithm, const HyperParameters& parameters, const Parts& parts) {
  const auto estimator = find_estimator(algorithm)->make(parameters);
  REQUIRE_MESSAGE(estimator.has_value(), (estimator ? "" : estimator.error().message));
  const auto fitted = (*estimator)->fit(parts.train, &parts.valid, {});
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  MESSAGE(std::string(algorithm) << ": " << fitted->rounds << " rounds");
  return *fitted->model->predict(parts.test.X);
}

double log_loss(const Matrix& p, const Dataset& test) {
  double sum = 0;
  for (std::size_t i = 0; i < test.y.size(); ++i) {
    const double right = p.cols > 1        ? p.at(i, static_cast<std::size_t>(test.y[i]))
                         : test.y[i] > 0.5 ? p.at(i, 0)
                                           : 1 - p.at(i, 0);
    sum -= std::log(std::max(right, 1e-15));
  }
  return sum / static_cast<double>(test.y.size());
}

double area(const Matrix& p, const Dataset& test) {
  std::vector<std::pair<float, double>> rows;
  for (std::size_t i = 0; i < test.y.size(); ++i) rows.emplace_back(p.at(i, 0), test.y[i]);
  std::ranges::sort(rows);
  double below = 0, pairs = 0, positives = 0;
  for (std::size_t at = 0; at < rows.size();) {
    double tied[2] = {0, 0};
    const float same = rows[at].first;
    for (; at < rows.size() && rows[at].first == same; ++at) ++tied[rows[at].second > 0.5];
    pairs += tied[1] * (below + tied[0] / 2), below += tied[0], positives += tied[1];
  }
  return pairs / (below * positives);
}

double accuracy(const Matrix& p, const Dataset& test) {
  double right = 0;
  for (std::size_t i = 0; i < test.y.size(); ++i) {
    const float* row = &p.values[i * p.cols];
    right += std::max_element(row, row + p.cols) - row == static_cast<std::ptrdiff_t>(test.y[i]);
  }
  return right / static_cast<double>(test.y.size());
}

}  // namespace

TEST_CASE("published accuracy: xgboost on adult") {
  const auto source = open_source("adult");
  if (!source) return;
  const Parts parts = make_parts(*source, Encoding::Codes);
  const Matrix p = score("xgboost",
                         {{"num_round", "2000"},
                          {"objective", "binary:logistic"},
                          {"eta", "0.1"},
                          {"tree_method", "hist"},
                          {"eval_metric", "auc"},
                          {"early_stopping_rounds", "30"}},
                         parts);
  const double auc = area(p, parts.test), loss = log_loss(p, parts.test);
  MESSAGE("AUC " << auc << " (published 0.9265), log loss " << loss << " (published 0.2781)");
  CHECK(auc > 0.9265 - 0.002);
  CHECK(loss < 0.2781 + 0.003);
}

TEST_CASE("published accuracy: linear-learner on adult") {
  const auto source = open_source("adult");
  if (!source) return;
  const Parts parts = make_parts(*source, Encoding::OneHot);
  const Matrix p = score("linear-learner", {{"predictor_type", "binary_classifier"}}, parts);
  const double auc = area(p, parts.test), loss = log_loss(p, parts.test);
  MESSAGE("AUC " << auc << " (published 0.9051), log loss " << loss << " (published 0.3180)");
  CHECK(auc > 0.9051 - 0.002);
  CHECK(loss < 0.3180 + 0.003);
}

TEST_CASE("published accuracy: both on satellite") {
  const auto source = open_source("satellite");
  if (!source) return;
  const Parts parts = make_parts(*source, Encoding::Codes);
  const Matrix trees = score("xgboost",
                             {{"num_round", "2000"},
                              {"objective", "multi:softprob"},
                              {"num_class", "6"},
                              {"eta", "0.1"},
                              {"tree_method", "hist"},
                              {"eval_metric", "mlogloss"},
                              {"early_stopping_rounds", "30"}},
                             parts);
  MESSAGE("xgboost: accuracy " << accuracy(trees, parts.test) << " (published 0.8985), log loss "
                               << log_loss(trees, parts.test) << " (published 0.2573)");
  CHECK(accuracy(trees, parts.test) > 0.8985 - 0.0068);
  CHECK(log_loss(trees, parts.test) < 0.2573 + 0.012);
  const Matrix linear =
      score("linear-learner", {{"predictor_type", "multiclass_classifier"}, {"num_classes", "6"}}, parts);
  MESSAGE("linear-learner: accuracy " << accuracy(linear, parts.test) << " (published 0.8375), log loss "
                                      << log_loss(linear, parts.test) << " (published 0.3765)");
  CHECK(accuracy(linear, parts.test) > 0.8375 - 0.0082);
  CHECK(log_loss(linear, parts.test) < 0.3765 + 0.012);
}

#ifdef MILLRACE_HAS_XGBOOST

namespace {

// Losses of the rows: squared errors, or logarithms of the right answer's chance.
std::vector<double> row_losses(const std::vector<float>& p, const Dataset& test, bool regression) {
  const std::size_t k = p.size() / test.y.size();
  std::vector<double> losses;
  for (std::size_t i = 0; i < test.y.size(); ++i) {
    const double first = double(p[i * k]), y = test.y[i];
    if (regression) {
      losses.push_back((first - y) * (first - y));
    } else {
      const double right = k > 1     ? double(p[i * k + static_cast<std::size_t>(y)])
                           : y > 0.5 ? first
                                     : 1 - first;
      losses.push_back(-std::log(std::max(right, 1e-15)));
    }
  }
  return losses;
}

}  // namespace

TEST_CASE("published accuracy: as good as libxgboost on every set, with the same settings") {
  for (const char* name : {"adult", "bank_marketing", "diamonds", "digits", "letter", "satellite"}) {
    const auto source = open_source(name);
    if (!source) continue;
    const Parts parts = make_parts(*source, Encoding::Codes);
    const std::string task = source->meta["task"];
    HyperParameters parameters{{"num_round", task == "multiclass" ? "25" : "100"},
                               {"eta", "0.1"},
                               {"tree_method", "hist"},
                               {"nthread", "1"}};
    parameters["objective"] = task == "binary"       ? "binary:logistic"
                              : task == "regression" ? "reg:squarederror"
                                                     : "multi:softprob";
    const double classes = *std::ranges::max_element(parts.train.y) + 1;
    if (task == "multiclass") parameters["num_class"] = std::to_string(static_cast<int>(classes));
    const auto fitted = (*find_estimator("xgboost")->make(parameters))->fit(parts.train, nullptr, {});
    REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
    ReferenceXgboost reference;
    reference.fit(parameters, parts.train);
    const bool regression = task == "regression";
    const auto ours = row_losses(fitted->model->predict(parts.test.X)->values, parts.test, regression);
    const auto theirs = row_losses(reference.predict(parts.test.X), parts.test, regression);
    double a = 0, b = 0, square = 0;
    for (std::size_t i = 0; i < ours.size(); ++i)
      a += ours[i], b += theirs[i], square += theirs[i] * theirs[i];
    const auto n = static_cast<double>(ours.size());
    a /= n, b /= n;
    const double error = std::sqrt((square / n - b * b) / n);
    MESSAGE(std::string(name) << ": mean loss " << a << ", libxgboost " << b << ", one standard error "
                              << error);
    CHECK(a < b + error);
  }
}

#endif
