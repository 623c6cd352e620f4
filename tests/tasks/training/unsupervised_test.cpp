// kmeans, pca, randomcutforest: values known by hand or from scikit-learn 1.2-1.9, and what each promises
// beyond the battery.

#include <doctest/doctest.h>

#include <cmath>

#include "tasks/numeric/random_cut_tree.h"
#include "tasks/training/kmeans.h"
#include "tasks/training/pca.h"
#include "tasks/training/randomcutforest.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Dataset rows_of(std::size_t d, std::vector<float> values) {
  Dataset data;
  data.X.cols = d, data.X.rows = values.size() / d, data.X.values = std::move(values);
  return data;
}

Fitted fit_rows(std::string_view algorithm, const HyperParameters& parameters, const Dataset& data,
                const FitContext& context = {}) {
  const auto estimator = find_estimator(algorithm)->make(parameters);
  REQUIRE_MESSAGE(estimator.has_value(), (estimator ? "" : estimator.error().message));
  auto fitted = (*estimator)->fit(data, nullptr, context);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

std::string refusal_of(std::string_view algorithm, const HyperParameters& parameters) {
  const Status checked = check_hyperparameters(*find_estimator(algorithm), parameters);
  return checked ? "accepted" : checked.error().message;
}

// `groups` clouds of deviation 0.1 around (10 g, 0, 0, …).
Dataset clouds(std::size_t groups, std::size_t each, std::size_t d, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  data.X = Matrix(groups * each, d);
  for (std::size_t i = 0; i < data.X.rows; ++i) {
    for (std::size_t j = 0; j < d; ++j) data.X.at(i, j) = static_cast<float>(0.1 * random.normal());
    data.X.at(i, 0) += static_cast<float>(10 * (i % groups));
  }
  return data;
}

}  // namespace

TEST_CASE("kmeans: two clusters of a line, by hand") {
  // {0, 1, 2} and {10, 11, 12}: middles 1 and 11, squares 1 + 0 + 1 twice.
  const Dataset data = rows_of(1, {0, 11, 1, 10, 2, 12});
  const Fitted fitted = fit_rows("kmeans", {{"k", "2"}}, data);
  CHECK(fitted.metrics.at("train:ssd") == doctest::Approx(4));
  CHECK(fitted.metrics.at("train:msd") == doctest::Approx(4.0 / 6));
  const Dataset asked = rows_of(1, {3, 9, 1});
  const Matrix p = *fitted.model->predict(asked.X);
  CHECK(p.at(0, 0) != p.at(1, 0));
  CHECK(p.at(0, 0) == p.at(2, 0));
  CHECK(p.at(0, 1) == doctest::Approx(2));
  CHECK(p.at(1, 1) == doctest::Approx(2));
  CHECK(p.at(2, 1) == doctest::Approx(0));
}

TEST_CASE("kmeans: a start's limit of rounds holds to its end") {
  const Dataset data = clouds(6, 400, 4, 9);
  const HyperParameters parameters = {{"k", "30"},
                                      {"local_lloyd_num_trials", "1"},
                                      {"local_lloyd_tol", "0"},
                                      {"local_lloyd_init_method", "random"},
                                      {"local_lloyd_max_iter", "5"}};
  CHECK(fit_rows("kmeans", parameters, data).rounds == 5);
}

TEST_CASE("kmeans: weights move the middles, and rows of weight 0 count for nothing") {
  Dataset data = rows_of(1, {0, 3, 10, 13, 1000});
  data.weights = {2, 1, 1, 2, 0};
  const Fitted fitted = fit_rows("kmeans", {{"k", "2"}}, data);
  // Middles 1 and 12; 2 * 1 + 4 + 4 + 2 * 1.
  CHECK(fitted.metrics.at("train:ssd") == doctest::Approx(12));
  CHECK(fitted.metrics.at("train:msd") == doctest::Approx(2));
}

TEST_CASE("kmeans: finds clouds that lie apart, far from the origin as well, by either init") {
  for (const char* init : {"kmeans++", "random"}) {
    for (const float shift : {0.0f, 1e5f}) {
      Dataset data = clouds(8, 50, 3, 1);
      for (float& value : data.X.values) value += shift;
      const Fitted fitted = fit_rows(
          "kmeans", {{"k", "8"}, {"local_lloyd_init_method", init}, {"local_lloyd_num_trials", "30"}}, data);
      const Matrix p = *fitted.model->predict(data.X);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < data.X.rows; ++i) wrong += p.at(i, 0) != p.at(i % 8, 0);
      CAPTURE(init);
      CAPTURE(shift);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("kmeans: as many clusters as rows, the same row many times, and too many clusters") {
  const Dataset data = rows_of(2, {0, 0, 5, 5, 9, 1});
  CHECK(fit_rows("kmeans", {{"k", "3"}}, data).metrics.at("train:ssd") == doctest::Approx(0));
  const Dataset same = rows_of(2, std::vector<float>(20, 7.0f));
  CHECK(fit_rows("kmeans", {{"k", "4"}}, same).metrics.at("train:ssd") == doctest::Approx(0));
  const auto refused = (*find_estimator("kmeans")->make({{"k", "4"}}))->fit(data, nullptr, {});
  REQUIRE(!refused);
  CHECK(refused.error().message == "hyperparameter 'k' is 4, but train has only 3 rows");
  CHECK(refusal_of("kmeans", {{"k", "2"}, {"eval_metrics", "[\"msq\"]"}}) ==
        "hyperparameter 'eval_metrics' is '[\"msq\"]': expected a list like [\"msd\"] of msd|ssd");
  CHECK(refusal_of("kmeans", {}) ==
        "hyperparameter 'k' is required by kmeans: expected an integer from 1 to 1000000");
}

TEST_CASE("kmeans: answers in SageMaker's shape; eval_metrics chooses what test reports") {
  const Dataset data = clouds(2, 10, 2, 2);
  const Fitted fitted = fit_rows("kmeans", {{"k", "2"}}, data);
  const AnswerForm form = fitted.model->answer_form();
  CHECK(form.list == "predictions");
  REQUIRE(form.fields.size() == 2);
  CHECK(form.fields[0].name == "closest_cluster");
  CHECK(form.fields[1].name == "distance_to_cluster");
  const auto both = test_kmeans({{"k", "2"}}, *fitted.model, data);
  CHECK(both->at("ssd") == doctest::Approx(both->at("msd") * 20));
  CHECK(both->at("ssd") == doctest::Approx(fitted.metrics.at("train:ssd")).epsilon(1e-4));
  CHECK(test_kmeans({{"k", "2"}, {"eval_metrics", "[\"msd\"]"}}, *fitted.model, data)->size() == 1);
}

// scikit-learn's PCA(3) of these six rows; signs turned so that each direction's largest weight is positive,
// and variances over n instead of n - 1.
TEST_CASE("pca: scikit-learn's components and projection") {
  const Dataset data = rows_of(3, {1, 2, 3, 2, 1, 0, 4, 3, 1, 0, 5, 2, 3, 3, 3, 1, 0, 4});
  const double first[] = {0.2385824291, 0.8323834812, -0.5002161181};
  const double projected[] = {-0.8931266164, 0.0137206859, 1.6554363883,
                              1.8656575161,  0.4164217229, -3.0581096968};
  for (const char* mode : {"regular", "randomized"}) {
    CAPTURE(mode);
    const Fitted fitted = fit_rows("pca", {{"num_components", "2"}, {"algorithm_mode", mode}}, data);
    CHECK(fitted.metrics.at("train:explained_variance_ratio") ==
          doctest::Approx(0.4471473779 + 0.3776719742).epsilon(1e-9));
    const Matrix p = *fitted.model->predict(data.X);
    for (std::size_t i = 0; i < 6; ++i) CHECK(p.at(i, 0) == doctest::Approx(projected[i]).epsilon(1e-6));
    // The projection of a unit step along x_j from the mean is the component's weight.
    const Matrix steps =
        *fitted.model->predict(rows_of(3, {1.8333333f + 1, 2.3333333f, 2.1666667f, 1.8333333f, 2.3333333f + 1,
                                           2.1666667f, 1.8333333f, 2.3333333f, 2.1666667f + 1})
                                   .X);
    for (std::size_t j = 0; j < 3; ++j) CHECK(steps.at(j, 0) == doctest::Approx(first[j]).epsilon(1e-6));
  }
}

TEST_CASE(
    "pca: weights count like repeated rows; with all components nothing is lost; too many are refused") {
  Dataset weighted = rows_of(2, {0, 0, 3, 1, 1, 4});
  weighted.weights = {1, 2, 1};
  const Dataset repeated = rows_of(2, {0, 0, 3, 1, 3, 1, 1, 4});
  const Fitted a = fit_rows("pca", {{"num_components", "1"}}, weighted),
               b = fit_rows("pca", {{"num_components", "1"}}, repeated);
  CHECK(a.metrics.at("train:explained_variance_ratio") ==
        doctest::Approx(b.metrics.at("train:explained_variance_ratio")));
  const Dataset data = sample_data(SampleTask::Classes, 100, 4, 3);
  const HyperParameters all{{"num_components", "4"}};
  const Fitted whole = fit_rows("pca", all, data);
  const auto metrics = test_pca(all, *whole.model, data);
  CHECK(metrics->at("explained_variance_ratio") == doctest::Approx(1));
  CHECK(metrics->at("mse") == doctest::Approx(0).epsilon(1e-9));
  const auto refused = (*find_estimator("pca")->make({{"num_components", "5"}}))->fit(data, nullptr, {});
  REQUIRE(!refused);
  CHECK(refused.error().message == "hyperparameter 'num_components' is 5, but train has only 4 features");
  CHECK(whole.model->answer_form().list == "projections");
  CHECK(whole.model->answer_form().fields[0].name == "projection");
}

TEST_CASE("random cut tree: scores by hand") {
  // Points 0 and 1 of a line: a root with the box [0, 1] and two leaves.
  Matrix points(2, 1);
  points.values = {0, 1};
  const RandomCutTree tree(points, grow_cuts(points, Random(1)));
  CHECK(tree.cuts().mass == std::vector<std::uint32_t>{2, 1, 1});
  const double root = std::log2(3.0);
  // At 3: the root's box is 1 wide, 2 are outside: 2/3 at depth 0; the leaf's is all outside: 1/3 of 1/2.
  const float far = 3, on = 0;
  CHECK(tree.score(&far) == doctest::Approx((2.0 / 3 + 1.0 / 3 / 2) * root));
  // At 0: inside; the leaf of one point of two: (1 - 1/4) / (1 + log2(2)).
  CHECK(tree.score(&on) == doctest::Approx(0.75 / 2 * root));
  Matrix same(5, 2);
  const RandomCutTree leaf(same, grow_cuts(same, Random(2)));
  CHECK(leaf.cuts().mass == std::vector<std::uint32_t>{5});
  const float zero[] = {0, 0};
  // The tree's only leaf, of all its points, at depth 0: (1 - 5/10) / log2(6), times log2(6).
  CHECK(leaf.score(zero) == doctest::Approx(0.5));
}

TEST_CASE("random cut tree: bytes that are no tree are recognised") {
  Matrix points(3, 1);
  points.values = {0, 1, 5};
  const RandomCuts good = grow_cuts(points, Random(3));
  REQUIRE(is_tree(good, 3, 1));
  CHECK(!is_tree(good, 4, 1));
  for (std::size_t node = 0; node < good.feature.size(); ++node) {
    RandomCuts bad = good;
    bad.mass[node] += 1;
    CHECK(!is_tree(bad, 3, 1));
    bad = good, bad.right[node] = 77;
    CHECK(!is_tree(bad, 3, 1));
    bad = good, bad.feature[node] = 1;
    CHECK(!is_tree(bad, 3, 1));
  }
}

TEST_CASE(
    "randomcutforest: rows apart from the others score highest, and the channel test says how many are "
    "found") {
  Dataset data = clouds(2, 500, 3, 4);
  const HyperParameters parameters{{"num_trees", "60"}, {"num_samples_per_tree", "128"}};
  const Fitted fitted = fit_rows("randomcutforest", parameters, data);
  Dataset test = clouds(2, 100, 3, 5);
  test.y.assign(200, 0);
  for (const std::size_t i : {10u, 77u, 150u}) test.X.at(i, 2) = 6, test.y[i] = 1;
  const Matrix scores = *fitted.model->predict(test.X);
  float least_odd = 100, most_usual = 0;
  for (std::size_t i = 0; i < 200; ++i)
    (test.y[i] > 0 ? least_odd : most_usual) =
        test.y[i] > 0 ? std::min(least_odd, scores.at(i, 0)) : std::max(most_usual, scores.at(i, 0));
  CHECK(least_odd > most_usual);
  const auto metrics = test_randomcutforest(parameters, *fitted.model, test);
  REQUIRE(metrics.has_value());
  CHECK(metrics->at("recall") == 1);
  CHECK(metrics->at("f1") > 0.5);
  CHECK(metrics->at("accuracy") > 0.97);
  test.y.clear();
  const auto refused = test_randomcutforest(parameters, *fitted.model, test);
  REQUIRE(!refused);
  CHECK(refused.error().message == "test: the rows have no labels");
}

TEST_CASE("randomcutforest: with time_decay old rows are forgotten") {
  Dataset data = rows_of(1, {});
  Random random(6);
  for (int i = 0; i < 4000; ++i)
    data.X.values.push_back(static_cast<float>((i < 3000 ? 0 : 50) + random.normal()));
  data.X.rows = 4000;
  const Dataset old = rows_of(1, {0});
  const auto score = [&](const char* decay) {
    const Fitted fitted = fit_rows("randomcutforest", {{"num_trees", "50"}, {"time_decay", decay}}, data);
    return fitted.model->predict(old.X)->at(0, 0);
  };
  CHECK(score("0.01") > 2 * score("0"));
}
