// The engine beside libxgboost: the same settings give models as good, each reads the other's models and
// answers the same, contributions and leaves are equal.

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/training/xgboost.h"
#include "tasks/trees/explain.h"
#include "tasks/trees/model_json.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/predict.h"
#include "tests/support/libxgboost.h"
#include "tests/tasks/trees/tree_data.h"

using namespace millrace;
using namespace millrace::tasks;

#ifndef MILLRACE_HAS_XGBOOST

TEST_CASE("trees: parity with libxgboost") {
  MESSAGE("skipped: libxgboost is not there (package libxgboost-dev)");
}

#else

namespace {

struct ParityCase {
  HyperParameters parameters;
  std::string metric;
  std::size_t classes = 0;  // of the data
  bool positive = false;    // targets above 0
  double tolerance = 0.04;  // of the metric, relative
};

std::vector<ParityCase> parity_cases() {
  return {
      {{}, "rmse"},
      {{{"objective", "binary:logistic"}}, "logloss", 2},
      {{{"objective", "binary:logistic"}, {"scale_pos_weight", "3"}}, "auc", 2, false, 0.01},
      {{{"objective", "binary:logitraw"}}, "auc", 2, false, 0.01},
      {{{"objective", "binary:hinge"}}, "error", 2, false, 0.15},
      {{{"objective", "reg:logistic"}}, "rmse", 2},
      {{{"objective", "multi:softprob"}, {"num_class", "4"}}, "mlogloss", 4},
      {{{"objective", "count:poisson"}}, "poisson-nloglik", 4},
      {{{"objective", "reg:gamma"}}, "gamma-nloglik", 0, true},
      {{{"objective", "reg:tweedie"}}, "tweedie-nloglik@1.5", 4},
      {{{"objective", "reg:squaredlogerror"}}, "rmsle", 0, true},
      {{{"objective", "reg:pseudohubererror"}}, "mae"},
      {{{"objective", "reg:absoluteerror"}}, "mae"},
      {{{"grow_policy", "lossguide"}, {"max_leaves", "20"}, {"max_depth", "0"}}, "rmse"},
      {{{"lambda", "3"}, {"alpha", "2"}, {"gamma", "5"}, {"min_child_weight", "20"}}, "rmse"},
      {{{"max_delta_step", "0.2"}, {"objective", "binary:logistic"}}, "logloss", 2},
      {{{"monotone_constraints", "(1,-1,0,0,0,0,0,0)"}}, "rmse"},
      {{{"interaction_constraints", "[[0,1,2],[3,4,5,6]]"}}, "rmse"},
      {{{"num_parallel_tree", "4"}, {"subsample", "0.6"}, {"colsample_bynode", "0.7"}},
       "rmse",
       0,
       false,
       0.06},
      {{{"subsample", "0.7"}, {"colsample_bytree", "0.8"}, {"colsample_bylevel", "0.8"}},
       "rmse",
       0,
       false,
       0.06},
      {{{"booster", "dart"}, {"rate_drop", "0.2"}}, "rmse", 0, false, 0.08},
      {{{"booster", "gblinear"}, {"updater", "coord_descent"}}, "rmse"},
  };
}

Dataset data_of(const ParityCase& c, std::size_t n, std::uint64_t seed) {
  Dataset data = tree_data(n, seed, c.classes, true);
  for (double& y : data.y) y = c.positive ? std::exp(0.5 * y) : y;
  return data;
}

void check_close(const std::vector<float>& a, const std::vector<float>& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, double(std::abs(a[i] - b[i])) / (1 + double(std::abs(b[i]))));
  CHECK(worst <= tolerance);
}

std::unique_ptr<trees::Explainer> explainer_of(const trees::Ensemble& ensemble) {
  return std::make_unique<trees::Explainer>(
      ensemble, trees::make_objective(ensemble.objective, {})->base_margin(ensemble.base_score));
}

// Everything that two readers of one model can agree on.
void check_same_model(const std::string& bytes, const ReferenceXgboost& reference, MatrixView X,
                      bool linear) {
  const auto model = load_xgboost(bytes);
  REQUIRE_MESSAGE(model.has_value(), (model ? "" : model.error().message));
  check_close((*model)->predict(X)->values, reference.predict(X), 1e-5);
  if (linear) return;
  const trees::Ensemble& ensemble = *ensemble_of(**model);
  const trees::Predictor predictor(ensemble);
  std::vector<std::uint32_t> leaves(X.rows * ensemble.trees.size());
  predictor.leaves(X, leaves.data());
  const std::vector<float> numbers(leaves.begin(), leaves.end());
  CHECK(numbers == reference.predict(X, 6));
  trees::Team team(1);
  const MatrixView few = X.slice(0, 40);
  const std::size_t width = X.cols + 1;
  std::vector<float> out(few.rows * ensemble.outputs * width);
  explainer_of(ensemble)->contributions(few, team, out.data());
  if (ensemble.tree_weight.empty()) check_close(out, reference.predict(few, 2), 2e-4);
  if (ensemble.trees.size() > 100 || !ensemble.tree_weight.empty()) return;
  std::vector<float> pairs(few.rows * ensemble.outputs * width * width);
  explainer_of(ensemble)->interactions(few, team, pairs.data());
  check_close(pairs, reference.predict(few, 4), 1e-3);
}

}  // namespace

TEST_CASE("trees: a model of XGBoost with splits by categories, one of them or many against the others") {
  for (const char* one_hot : {"1", "100"}) {
    CAPTURE(one_hot);
    ReferenceXgboost reference, reader;
    reference.feature_types = {"float", "float", "float", "c", "c", "c", "c", "float"};
    reader.feature_types = reference.feature_types;
    Dataset train = tree_data(4000, 3, 3, true), test = tree_data(500, 4);
    for (std::size_t i = 0; i < 500; i += 7) test.X.at(i, 6) = std::nanf(""), test.X.at(i, 5) = 4;
    for (std::size_t i = 1; i < 500; i += 7) test.X.at(i, 6) = 77;  // a category that training never saw
    reference.fit({{"objective", "multi:softprob"},
                   {"num_class", "3"},
                   {"num_round", "12"},
                   {"tree_method", "hist"},
                   {"nthread", "1"},
                   {"max_cat_to_onehot", one_hot}},
                  train);
    const std::string bytes = reference.model();
    check_same_model(bytes, reference, test.X, false);
    const auto plain = load_xgboost(bytes), binary = load_xgboost(reference.model("ubj"));
    REQUIRE((plain.has_value() && binary.has_value()));
    const auto one = (*plain)->predict(test.X), same = (*binary)->predict(test.X);
    CHECK(one->values == same->values);
    const auto ensemble = trees::read_model(bytes);
    REQUIRE(ensemble.has_value());
    REQUIRE(
        std::ranges::any_of(ensemble->trees, [](const trees::Tree& t) { return !t.category_sets.empty(); }));
    reader.load(trees::write_model(*ensemble));
    CHECK(reader.predict(test.X) == reference.predict(test.X));
  }
}

TEST_CASE("trees: sets of categories that don't fit their splits are refused") {
  ReferenceXgboost reference;
  reference.feature_types = {"float", "float", "float", "c", "c", "c", "c", "float"};
  const Dataset train = tree_data(1000, 3);
  reference.fit({{"num_round", "1"}, {"tree_method", "hist"}, {"nthread", "1"}}, train);
  std::string text = reference.model();  // with NaN as thresholds
  for (std::size_t at; (at = text.find("NaN")) != std::string::npos;) text.replace(at, 3, "0E0");
  const auto good = nlohmann::ordered_json::parse(text);
  const nlohmann::json::json_pointer tree("/learner/gradient_booster/model/trees/0");
  const auto refusal = [&](const auto& change) {
    auto model = good;
    change(model[tree]);
    const auto loaded = trees::read_model(model.dump());
    return loaded ? std::string("read") : loaded.error().message;
  };
  using Tree = nlohmann::ordered_json;
  REQUIRE(!good[tree]["categories_nodes"].empty());
  CHECK(refusal([](Tree&) {}) == "read");
  CHECK(refusal([](Tree& t) { t["categories_sizes"][0] = 1'000'000; }).find("categories_sizes is wrong") !=
        std::string::npos);
  CHECK(refusal([](Tree& t) { t["categories"][0] = -1; }).find("categories is wrong") != std::string::npos);
  CHECK(refusal([](Tree& t) { t["categories_nodes"].erase(0); }).find("other sets of categories") !=
        std::string::npos);
  CHECK(refusal([](Tree& t) { t["categories_segments"][0] = 99'999; }).find("categories_segments is wrong") !=
        std::string::npos);
  const auto leaf = [](Tree& t) {
    for (std::size_t k = 0; k < t["left_children"].size(); ++k)
      if (t["split_type"][k] == 0) t["categories_nodes"][0] = k;
  };
  CHECK(refusal(leaf).find("a set of categories for another split") != std::string::npos);
}

TEST_CASE("trees: as good as libxgboost with the same settings, and each reads the other's model") {
  for (const ParityCase& c : parity_cases()) {
    HyperParameters parameters = c.parameters;
    parameters["num_round"] = "20", parameters["tree_method"] = "hist", parameters["nthread"] = "1";
    const bool linear = parameters.contains("booster") && parameters["booster"] == "gblinear";
    if (linear) parameters.erase("tree_method");
    std::string name = c.metric;
    for (const auto& [key, value] : c.parameters) name += " " + key + "=" + value;
    CAPTURE(name);
    const Dataset train = data_of(c, 4000, 1), test = data_of(c, 2000, 2);
    HyperParameters own = parameters;
    own["eval_metric"] = c.metric;
    const auto estimator = make_xgboost(own);
    REQUIRE_MESSAGE(estimator.has_value(), (estimator ? "" : estimator.error().message));
    const auto fitted = (*estimator)->fit(train, &test, {});
    REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
    ReferenceXgboost reference, reader;
    reference.fit(parameters, train);
    const double ours = fitted->metrics.at("validation:" + c.metric),
                 theirs = reference.metric(c.metric, test);
    CAPTURE(ours);
    CAPTURE(theirs);
    const bool larger = larger_is_better(c.metric);
    // Worse by no more than this; better is welcome.
    CHECK((larger ? theirs - ours : ours - theirs) <= c.tolerance * std::abs(theirs) + 1e-4);

    const MatrixView X = MatrixView(test.X).slice(0, 300);
    const std::string bytes = fitted->model->save();
    reader.load(bytes);
    check_same_model(bytes, reader, X, linear);
    check_same_model(reference.model(), reference, X, linear);
    // Our metric is theirs, on one model.
    CHECK(reader.metric(c.metric, test) == doctest::Approx(ours).epsilon(2e-4));
  }
}

TEST_CASE("trees: metrics are libxgboost's, with weights and ties") {
  const Dataset train = tree_data(1500, 3, 2, true), test = tree_data(700, 4, 2, true);
  const std::vector<std::string> names{"auc",  "aucpr", "logloss", "error", "error@0.3",
                                       "rmse", "mae",   "map",     "ndcg"};
  for (const std::string& name : names) {
    CAPTURE(name);
    Dataset plain = test;
    if (name == "map" || name == "ndcg") plain.weights.clear();
    const auto fitted = (*make_xgboost({{"num_round", "3"},
                                        {"max_depth", "2"},
                                        {"objective", "binary:logistic"},
                                        {"eval_metric", name}}))
                            ->fit(train, &plain, {});
    REQUIRE(fitted.has_value());
    ReferenceXgboost reader;
    reader.load(fitted->model->save());
    CHECK(fitted->metrics.at("validation:" + name) ==
          doctest::Approx(reader.metric(name, plain)).epsilon(1e-4));
  }
  const Dataset many = tree_data(1500, 3, 4, true), more = tree_data(700, 4, 4, true);
  for (const std::string name : {"mlogloss", "merror", "auc"}) {
    CAPTURE(name);
    const auto fitted = (*make_xgboost({{"num_round", "3"},
                                        {"objective", "multi:softprob"},
                                        {"num_class", "4"},
                                        {"eval_metric", name}}))
                            ->fit(many, &more, {});
    REQUIRE(fitted.has_value());
    ReferenceXgboost reader;
    reader.load(fitted->model->save());
    CHECK(fitted->metrics.at("validation:" + name) ==
          doctest::Approx(reader.metric(name, more)).epsilon(1e-3));
  }
}

#endif
