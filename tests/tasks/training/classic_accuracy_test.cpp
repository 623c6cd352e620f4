// kmeans, pca, knn, mlp and factorization-machines on public data, against figures of scikit-learn and lme4
// on the same rows. Without the data what the other tests know by construction stands alone.

#include <cmath>

#include "tests/tasks/training/public_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// All columns but the target, each brought to mean 0 and deviation 1.
Dataset standardised(const Source& source) {
  Dataset data;
  const std::string target = source.meta["target"];
  data.X = Matrix(source.table.rows, source.table.columns.size() - 1);
  std::size_t j = 0;
  for (const Column& column : source.table.columns) {
    if (column.name == target) continue;
    double mean = 0, square = 0;
    for (const double v : column.numbers) mean += v / static_cast<double>(data.X.rows);
    for (const double v : column.numbers)
      square += (v - mean) * (v - mean) / static_cast<double>(data.X.rows);
    for (std::size_t i = 0; i < data.X.rows; ++i)
      data.X.at(i, j) = static_cast<float>(square > 0 ? (column.numbers[i] - mean) / std::sqrt(square) : 0);
    ++j;
  }
  return data;
}

Fitted fit_public(const char* algorithm, const HyperParameters& parameters, const Dataset& train,
                  const Dataset* validation = nullptr) {
  FitContext context;
  context.seed = 1, context.threads = 2;
  auto fitted = (*find_estimator(algorithm)->make(parameters))->fit(train, validation, context);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

double tested(const char* algorithm, const HyperParameters& parameters, const Model& model,
              const Dataset& test, const char* metric) {
  const auto metrics = find_estimator(algorithm)->test(parameters, model, test);
  REQUIRE(metrics.has_value());
  return metrics->at(metric);
}

}  // namespace

TEST_CASE("published accuracy: kmeans within a thousandth of scikit-learn's best of ten starts") {
  struct Row {
    const char* name;
    const char* k;
    double inertia;
  };
  for (const Row& row : {Row{"digits", "10", 69944}, {"satellite", "6", 48926}, {"letter", "26", 121150}}) {
    const auto source = open_source(row.name);
    if (!source) return;
    const Fitted fitted = fit_public("kmeans", {{"k", row.k}}, standardised(*source));
    const double ssd = fitted.metrics.at("train:ssd");
    MESSAGE(std::string(row.name) << ": " << ssd << " (published " << row.inertia << "), " << fitted.rounds
                                  << " rounds");
    CHECK(ssd < row.inertia * 1.001);
  }
}

TEST_CASE("published accuracy: pca, scikit-learn's components") {
  for (const auto& [name, explained] :
       {std::pair("digits", 0.58874), {"satellite", 0.97882}, {"letter", 0.91531}}) {
    const auto source = open_source(name);
    if (!source) return;
    const Dataset data = standardised(*source);
    for (const char* mode : {"regular", "randomized"}) {
      const HyperParameters parameters{{"num_components", "10"}, {"algorithm_mode", mode}};
      const Fitted fitted = fit_public("pca", parameters, data);
      CAPTURE(name);
      CAPTURE(mode);
      CHECK(std::abs(fitted.metrics.at("train:explained_variance_ratio") - explained) < 6e-6);
      CHECK(std::abs(tested("pca", parameters, *fitted.model, data, "explained_variance_ratio") - explained) <
            6e-6);
    }
  }
  const auto source = open_source("letter");
  if (!source) return;
  // scikit-learn 1.9, PCA(3, svd_solver="full"), the first row of components_.
  const double first[] = {4.2720502651e-01, 3.9952047453e-01, 4.3768543006e-01,  3.9952602567e-01,
                          4.1662935041e-01, 5.3692939122e-02, -1.2904739751e-02, 4.1649966154e-04,
                          8.3018581351e-03, 2.8127503402e-02, -2.3877174965e-02, -1.6232231164e-02,
                          2.8928907729e-01, 1.3104315287e-02, 2.0777219342e-01,  -3.6567225485e-02};
  const Fitted fitted = fit_public("pca", {{"num_components", "3"}}, standardised(*source));
  Matrix steps(16, 16);
  for (std::size_t j = 0; j < 16; ++j) steps.at(j, j) = 1;
  const Matrix p = *fitted.model->predict(steps);
  const Matrix origin = *fitted.model->predict(Matrix(1, 16));
  for (std::size_t j = 0; j < 16; ++j)
    CHECK(std::abs(static_cast<double>(p.at(j, 0)) - static_cast<double>(origin.at(0, 0)) - first[j]) < 1e-6);
}

TEST_CASE("published accuracy: knn votes as scikit-learn's") {
  struct Row {
    const char *name, *k;
    double accuracy;  // scikit-learn 1.9, KNeighborsClassifier on the columns as they are
  };
  for (const Row& row : {Row{"digits", "1", 0.98611},
                         {"digits", "5", 0.98333},
                         {"satellite", "1", 0.893},
                         {"satellite", "5", 0.892},
                         {"letter", "1", 0.95525},
                         {"letter", "5", 0.94075}}) {
    const auto source = open_source(row.name);
    if (!source) return;
    const Parts parts = make_parts(*source, Encoding::Codes);
    const HyperParameters parameters{
        {"k", row.k}, {"predictor_type", "classifier"}, {"sample_size", "100000"}};
    const Fitted fitted = fit_public("knn", parameters, parts.train);
    const double accuracy = tested("knn", parameters, *fitted.model, parts.test, "accuracy");
    MESSAGE(std::string(row.name) << ", " << std::string(row.k) << " neighbours: " << accuracy
                                  << " (published " << row.accuracy << ")");
    CHECK(std::abs(accuracy - row.accuracy) < 0.003);  // equally near rows may differ
  }
}

TEST_CASE("published accuracy: mlp, classes") {
  struct Row {
    const char *name, *classes;
    double accuracy,
        deviation;  // scikit-learn's MLPClassifier (128, 64), and a standard error of the test rows
  };
  for (const Row& row :
       {Row{"digits", "10", 0.96944, 0.009}, {"satellite", "6", 0.888, 0.007}, {"letter", "26", 0.9495, 0}}) {
    const auto source = open_source(row.name);
    if (!source) return;
    const Parts parts = make_parts(*source, Encoding::Codes);
    const HyperParameters parameters{{"predictor_type", "multiclass_classifier"},
                                     {"num_classes", row.classes}};
    const Fitted fitted = fit_public("mlp", parameters, parts.train, &parts.valid);
    const double accuracy = tested("mlp", parameters, *fitted.model, parts.test, "multiclass_accuracy");
    MESSAGE(std::string(row.name) << ": accuracy " << accuracy << " (published " << row.accuracy << "), "
                                  << fitted.rounds << " epochs");
    CHECK(accuracy > row.accuracy - row.deviation);
  }
}

TEST_CASE("published accuracy: mlp, regression on diamonds") {
  const auto source = open_source("diamonds");
  if (!source) return;
  const Parts parts = make_parts(*source, Encoding::OneHot);
  const HyperParameters parameters{{"predictor_type", "regressor"}, {"epochs", "30"}};
  const Fitted fitted = fit_public("mlp", parameters, parts.train, &parts.valid);
  const double rmse = tested("mlp", parameters, *fitted.model, parts.test, "rmse");
  MESSAGE("RMSE " << rmse << " (published 1644 of the network, 539.6 of boosted trees), " << fitted.rounds
                  << " epochs");
  CHECK(rmse < 650);
}

TEST_CASE("published accuracy: factorization-machines on the lectures' ratings") {
  const auto source = open_source("inst_eval");
  if (!source) return;
  const Parts parts = make_parts(*source, Encoding::Codes);
  const HyperParameters parameters{{"predictor_type", "regressor"},
                                   {"num_factors", "4"},
                                   {"categorical_features", "all"},
                                   {"epochs", "8"},
                                   {"mini_batch_size", "500"},
                                   {"linear_lr", "0.005"},
                                   {"linear_wd", "0.00005"},
                                   {"factors_wd", "0.001"},
                                   {"bias_wd", "0"}};
  const Fitted fitted = fit_public("factorization-machines", parameters, parts.train);
  const double rmse = tested("factorization-machines", parameters, *fitted.model, parts.test, "rmse");
  MESSAGE("RMSE " << rmse << " (published 1.2053 of biases, 1.2026 of lme4 with the context)");
  CHECK(rmse < 1.208);
}
