// knn, factorization-machines, mlp: values known by hand, and what each promises beyond the battery.

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tasks/numeric/gemm.h"
#include "tasks/numeric/isa.h"
#include "tasks/numeric/neighbour_index.h"
#include "tasks/training/factorization_machines.h"
#include "tasks/training/knn.h"
#include "tasks/training/mlp/held_out.h"
#include "tasks/training/mlp/mlp.h"
#include "tasks/training/mlp/steps.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Dataset labelled(std::size_t d, std::vector<float> values, std::vector<double> y) {
  Dataset data;
  data.X.cols = d, data.X.rows = y.size(), data.X.values = std::move(values), data.y = std::move(y);
  return data;
}

Result<Fitted> try_fit(std::string_view algorithm, const HyperParameters& parameters, const Dataset& data,
                       const FitContext& context = {}) {
  MR_TRY(estimator, find_estimator(algorithm)->make(parameters));
  return estimator->fit(data, nullptr, context);
}

Fitted fit_labelled(std::string_view algorithm, const HyperParameters& parameters, const Dataset& data,
                    const FitContext& context = {}) {
  auto fitted = try_fit(algorithm, parameters, data, context);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

float first_answer(const Model& model, std::vector<float> row) {
  Matrix X(1, row.size());
  X.values = std::move(row);
  return model.answer(*model.predict(X)).at(0, 0);
}

template <class T>
void check_product(std::size_t n, std::size_t k, std::size_t m) {
  Random random(n * 10007 + k * 101 + m);
  std::vector<T> a(n * k), b(k * m), c(n * m, T(1)), expected(n * m);
  for (T& v : a) v = static_cast<T>(random.normal());
  for (T& v : b) v = static_cast<T>(random.normal());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      T sum = 0;
      for (std::size_t l = 0; l < k; ++l) sum += a[i * k + l] * b[l * m + j];
      expected[i * m + j] = sum;
    }
  }
  const PackedMatrix<T> packed(row_major(b.data(), m), k, m);
  multiply(row_major(a.data(), k), n, packed, c.data(), m);
  CHECK(c == expected);  // the same bits: the sums have one order
  std::vector<T> at(n * k), bt(k * m);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t l = 0; l < k; ++l) at[l * n + i] = a[i * k + l];
  for (std::size_t l = 0; l < k; ++l)
    for (std::size_t j = 0; j < m; ++j) bt[j * k + l] = b[l * m + j];
  const PackedMatrix<T> turned(transposed(bt.data(), k), k, m);
  multiply(transposed(at.data(), n), n, turned, c.data(), m, true);
  for (T& v : expected) v += v;
  CHECK(c == expected);
}

}  // namespace

TEST_CASE("dense products: every shape, both orders of both factors, the same bits on every processor") {
  for (const Isa most : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    limit_isa(most);
    for (const std::size_t n : {1, 2, 7, 8, 21, 64}) {
      for (const std::size_t m : {1, 5, 16, 31, 32, 33, 70}) {
        check_product<float>(n, 13, m);
        check_product<double>(n, 5, m);
      }
    }
    check_product<float>(3, 1000, 40);
  }
  limit_isa(Isa::Avx512);
}

TEST_CASE("knn: votes and means by hand; ties go to the first class, equal distances to the first row") {
  const Dataset classes = labelled(1, {0, 1, 2, 10, 11}, {0, 0, 1, 1, 2});
  const HyperParameters three{{"k", "3"}, {"predictor_type", "classifier"}, {"sample_size", "100"}};
  const Fitted model = fit_labelled("knn", three, classes);
  CHECK(first_answer(*model.model, {0.2f}) == 0);
  CHECK(first_answer(*model.model, {10.4f}) == 1);  // 10, 11 and 2: classes 1, 2, 1
  Matrix asked(1, 1);
  asked.at(0, 0) = 0.2f;
  CHECK(model.model->predict(asked)->values == std::vector<float>{2.0f / 3, 1.0f / 3, 0});
  const Fitted one =
      fit_labelled("knn", {{"k", "2"}, {"predictor_type", "classifier"}, {"sample_size", "100"}}, classes);
  CHECK(first_answer(*one.model, {1.6f}) == 0);  // one of class 1, one of class 0
  const Dataset numbers = labelled(1, {0, 1, 2, 10, 11}, {1, 2, 6, 20, 30});
  const Fitted mean =
      fit_labelled("knn", {{"k", "3"}, {"predictor_type", "regressor"}, {"sample_size", "9"}}, numbers);
  CHECK(first_answer(*mean.model, {1}) == doctest::Approx(3));
  CHECK(first_answer(*mean.model, {100}) == doctest::Approx((6 + 20 + 30) / 3.0));
  CHECK(mean.model->answer_form().fields[0].name == "predicted_label");
  const auto accuracy = test_knn(three, *model.model, classes);
  CHECK(accuracy->at("accuracy") == doctest::Approx(0.6));  // 2 and 11 are outvoted by their neighbours
}

TEST_CASE("neighbours: exactly those of comparing all pairs, for each metric") {
  const Dataset data = sample_data(SampleTask::Regression, 3000, 6, 1),
                asked = sample_data(SampleTask::Regression, 70, 6, 2);
  for (const NearMetric metric : {NearMetric::Squared, NearMetric::Product, NearMetric::Cosine}) {
    const NeighbourIndex index(data.X, metric);
    std::vector<std::uint32_t> found(70 * 4);
    index.find(asked.X, 4, found.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 70; ++i) {
      std::vector<std::pair<double, std::uint32_t>> all;
      for (std::uint32_t r = 0; r < 3000; ++r) {
        double square = 0, product = 0, norm = 0;
        for (std::size_t j = 0; j < 6; ++j) {
          const double a = asked.X.at(i, j), b = data.X.at(r, j);
          square += (a - b) * (a - b), product += a * b, norm += b * b;
        }
        all.emplace_back(metric == NearMetric::Squared   ? square
                         : metric == NearMetric::Product ? -product
                                                         : -product / std::sqrt(norm),
                         r);
      }
      std::ranges::sort(all);
      for (std::size_t n = 0; n < 4; ++n) wrong += all[n].second != found[i * 4 + n];
    }
    CHECK(wrong <= 1);  // floats may turn two rows that are as good as equally near
  }
}

TEST_CASE("knn: a sample of the rows, projections, and what does not fit is refused") {
  const Dataset data = sample_data(SampleTask::Classes, 600, 20, 3);
  for (const char* type : {"sign", "fjlt"}) {
    const HyperParameters parameters{{"k", "5"},
                                     {"predictor_type", "classifier"},
                                     {"sample_size", "300"},
                                     {"dimension_reduction_type", type},
                                     {"dimension_reduction_target", "16"}};
    const Fitted fitted = fit_labelled("knn", parameters, data);
    const auto metrics = test_knn(parameters, *fitted.model, data);
    CAPTURE(type);
    CHECK(metrics->at("accuracy") > 0.5);  // three classes, 17 columns of noise
    CHECK(fitted.model->n_features() == 20);
  }
  const HyperParameters base{{"k", "5"}, {"predictor_type", "classifier"}, {"sample_size", "4"}};
  CHECK(try_fit("knn", base, data).error().message ==
        "hyperparameter 'k' is 5, but the index has only 4 rows");
  HyperParameters half = base;
  half["dimension_reduction_type"] = "sign";
  CHECK(try_fit("knn", half, data).error().message ==
        "hyperparameters 'dimension_reduction_type' and 'dimension_reduction_target' go together: one is "
        "missing");
  half["sample_size"] = "100", half["dimension_reduction_target"] = "20";
  CHECK(try_fit("knn", half, data).error().message ==
        "hyperparameter 'dimension_reduction_target' is 20: expected less than the 20 features of train");
}

TEST_CASE("factorization-machines: the sum by hand") {
  FmParameters parameters;
  parameters.factors = 2, parameters.bias = 0.5;
  parameters.linear = {1, -1, 4}, parameters.pairs = {1, 2, 3, -1, 7, 7};
  parameters.columns.columns = {{0, {}}, {1, {}}, {2, {}}};
  parameters.columns.features = 3;
  const auto model = make_fm_model(parameters);
  // 0.5 + 1 - 2 + <(1, 2), (3, -1)> 1 2
  CHECK(first_answer(*model, {1, 2, 0}) == doctest::Approx(1.5));
  parameters.binary = true;
  const auto classifier = make_fm_model(parameters);
  Matrix asked(1, 3);
  asked.values = {1, 2, 0};
  const Matrix answer = classifier->answer(*classifier->predict(asked));
  CHECK(answer.at(0, 0) == doctest::Approx(1 / (1 + std::exp(-1.5))));
  CHECK(answer.at(0, 1) == 1);
}

TEST_CASE("factorization-machines: a first step of Adam is a learning rate long, against the gradient") {
  const HyperParameters parameters{{"num_factors", "1"},
                                   {"predictor_type", "regressor"},
                                   {"bias_wd", "0"},
                                   {"linear_wd", "0"},
                                   {"factors_wd", "0"},
                                   {"bias_init_method", "constant"},
                                   {"linear_init_method", "constant"},
                                   {"factors_init_method", "constant"},
                                   {"factors_init_value", "0.5"},
                                   {"factors_lr", "0.01"}};
  const Fitted fitted = fit_labelled("factorization-machines", parameters, labelled(2, {2, 1}, {9}));
  // Bias 0.1, linear 0.001 each, factors 0.51 each (their gradients have the sign of the error):
  // 0.1 + 0.001 (2 + 1) + 0.51 0.51 2 1
  CHECK(first_answer(*fitted.model, {2, 1}) == doctest::Approx(0.1 + 0.003 + 2 * 0.51 * 0.51).epsilon(1e-6));
  CHECK(fitted.metrics.at("train:rmse") == doctest::Approx(8.5));
}

TEST_CASE("factorization-machines: categories; a value that train has not counts for nothing") {
  // y = 10 a category of the first column, and a pair that no sum of columns explains.
  Dataset data;
  data.feature_names = {"user", "item"};
  Random random(5);
  for (int i = 0; i < 4000; ++i) {
    const auto user = static_cast<float>(random.below(5) * 7), item = static_cast<float>(random.below(6));
    data.X.values.insert(data.X.values.end(), {user, item});
    data.y.push_back((user > 10) == (item > 2) ? 2 : -2);
  }
  data.X.rows = 4000, data.X.cols = 2;
  HyperParameters parameters{{"num_factors", "4"},
                             {"predictor_type", "regressor"},
                             {"epochs", "100"},
                             {"factors_lr", "0.02"},
                             {"linear_lr", "0.02"},
                             {"mini_batch_size", "500"},
                             {"factors_init_sigma", "0.1"},
                             {"categorical_features", "user, 1"}};
  const Fitted fitted = fit_labelled("factorization-machines", parameters, data);
  CHECK(fitted.metrics.at("train:rmse") < 0.2);
  CHECK(first_answer(*fitted.model, {28, 5}) == doctest::Approx(2).epsilon(0.1));
  CHECK(first_answer(*fitted.model, {0, 5}) == doctest::Approx(-2).epsilon(0.1));
  CHECK(std::abs(first_answer(*fitted.model, {3, 99})) < 1);
  parameters["categorical_features"] = "user,price";
  CHECK(try_fit("factorization-machines", parameters, data).error().message ==
        "hyperparameter 'categorical_features': train has no feature 'price'");
}

TEST_CASE("factorization-machines: the same rates suit targets of any mean and scale") {
  Dataset data = sample_data(SampleTask::Regression, 600, 3, 12);
  const HyperParameters parameters{{"num_factors", "2"},   {"predictor_type", "regressor"},
                                   {"epochs", "60"},       {"linear_lr", "0.01"},
                                   {"factors_lr", "0.01"}, {"mini_batch_size", "50"}};
  const Fitted plain = fit_labelled("factorization-machines", parameters, data);
  Dataset far = data;
  for (double& y : far.y) y = 5000 + 250 * y;
  const Fitted moved = fit_labelled("factorization-machines", parameters, far);
  CHECK(moved.metrics.at("train:rmse") ==
        doctest::Approx(250 * plain.metrics.at("train:rmse")).epsilon(1e-6));
  const std::vector<float> row{data.X.at(0, 0), data.X.at(0, 1), data.X.at(0, 2)};
  CHECK(first_answer(*moved.model, row) ==
        doctest::Approx(5000 + 250 * double(first_answer(*plain.model, row))).epsilon(1e-5));
}

TEST_CASE("mlp: scores by hand") {
  // relu(x - y) and relu(y - x), added with a bias of 0.5: |x - y| + 0.5.
  MlpParts parts;
  parts.shape.widths = {2, 2, 1};
  parts.parameters = {1, -1, -1, 1, 0, 0, 1, 1, 0.5f};
  parts.mean = {0, 0}, parts.inverse = {1, 1};
  const auto model = make_mlp_model(parts);
  CHECK(first_answer(*model, {3, 1}) == doctest::Approx(2.5));
  CHECK(first_answer(*model, {1, 5}) == doctest::Approx(4.5));
  parts.least = 0, parts.most = 3;
  CHECK(first_answer(*make_mlp_model(parts), {1, 5}) == doctest::Approx(3));
  parts.least = parts.most = 0;
  // A second network that answers 1 everywhere; the mean of both.
  MlpParts two = parts;
  two.parameters.insert(two.parameters.end(), {0, 0, 0, 0, 0, 0, 0, 0, 1});
  CHECK(first_answer(*make_mlp_model(two), {3, 1}) == doctest::Approx((2.5 + 1) / 2));
  CHECK(first_answer(**load_mlp(make_mlp_model(two)->save()), {3, 1}) == doctest::Approx((2.5 + 1) / 2));
  two.parameters.pop_back();
  CHECK(!load_mlp(make_mlp_model(two)->save()).has_value());
  parts.shape.loss = NetworkLoss::Logistic;
  CHECK(first_answer(*make_mlp_model(parts), {3, 1}) == doctest::Approx(1 / (1 + std::exp(-2.5))));
}

TEST_CASE(
    "mlp: the gradient is the slope of the loss, for every activation and loss, with weights and dropout") {
  Random random(7);
  for (const Activation activation : {Activation::Relu, Activation::Tanh, Activation::Logistic}) {
    for (const NetworkLoss loss : {NetworkLoss::Squared, NetworkLoss::Logistic, NetworkLoss::Softmax}) {
      for (const float rate : {0.0f, 0.4f}) {
        NetworkShape shape{{3, 5, 4, loss == NetworkLoss::Softmax ? 3u : 1u}, activation, loss};
        std::vector<float> parameters(shape.size()), gradient(shape.size());
        for (float& p : parameters) p = static_cast<float>(random.uniform(-0.8, 0.8));
        const std::size_t rows = 6;
        std::vector<float> x(rows * 3), y(rows), weights(rows);
        for (float& v : x) v = static_cast<float>(random.normal());
        for (std::size_t i = 0; i < rows; ++i)
          y[i] = static_cast<float>(random.below(loss == NetworkLoss::Softmax ? 3 : 2)),
          weights[i] = static_cast<float>(random.uniform(0.5, 2));
        PackedNetwork network(shape);
        NetworkBuffers buffers;
        const auto loss_at = [&](bool with_gradient) {
          network.pack(parameters.data(), true);
          buffers.values.resize(shape.layers() + 1);
          buffers.values[0] = x;
          Dropout dropout{rate, Random(8)};  // the same units each time
          run_forward(network, rows, buffers, rate > 0 ? &dropout : nullptr);
          return with_gradient ? add_gradient(network, rows, y.data(), weights.data(), buffers,
                                              gradient.data(), rate > 0 ? &dropout : nullptr)
                               : sum_losses(network, rows, y.data(), weights.data(), buffers);
        };
        loss_at(true);
        for (std::size_t p = 0; p < parameters.size(); ++p) {
          const float kept = parameters[p], step = 5e-3f;
          parameters[p] = kept + step;
          const double above = loss_at(false);
          parameters[p] = kept - step;
          const double under = loss_at(false);
          parameters[p] = kept;
          CAPTURE(p);
          CHECK(static_cast<double>(gradient[p]) ==
                doctest::Approx((above - under) / (2 * static_cast<double>(step))).epsilon(0.05).scale(1));
        }
      }
    }
  }
}

TEST_CASE("mlp: one step of each optimizer, by hand") {
  const NetworkShape shape{{1, 1}, Activation::Relu, NetworkLoss::Squared};  // a weight and a bias
  struct Row {
    NetworkOptimizer optimizer;
    double weight, bias;  // after two steps of rate 0.1 with gradient (4, 2) / 2 and decay 0.5 from (1, 0)
  };
  // Weight: g1 = 2 + 0.5 = 2.5, bias: 1. The second gradient has the moved weight in it.
  const Row rows[] = {
      {NetworkOptimizer::Sgd, 0.75 - 0.1 * (2 + 0.5 * 0.75), -0.2},
      {NetworkOptimizer::Momentum, 0.75 - 0.1 * (0.9 * 2.5 + 2 + 0.5 * 0.75), -0.1 - 0.19},
      {NetworkOptimizer::Adagrad, 0.9 - 0.1 * 2.45 / std::sqrt(2.5 * 2.5 + 2.45 * 2.45),
       -0.1 - 0.1 / std::sqrt(2)},
      {NetworkOptimizer::Rmsprop,
       1 - 0.1 / std::sqrt(0.1) -
           0.1 * (2.5 - 0.05 / std::sqrt(0.1)) /
               std::sqrt(0.1 * 0.9 * 6.25 + 0.1 * std::pow(2.5 - 0.05 / std::sqrt(0.1), 2)),
       -0.1 / std::sqrt(0.1) - 0.1 / std::sqrt(0.19)},
      {NetworkOptimizer::Adam,
       0.9 - 0.1 * ((0.09 * 2.5 + 0.1 * 2.45) / 0.19) / std::sqrt((0.09 * 6.25 + 0.1 * 2.45 * 2.45) / 0.19),
       -0.2},
  };
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.optimizer));
    NetworkStepper steps({row.optimizer, 0.9, 0.9, 0.9, 0.5}, shape);
    steps.set_rate(0.1);
    std::vector<float> parameters{1, 0};
    for (int step = 0; step < 2; ++step) steps.step(parameters, {4, 2}, 0.5f);
    CHECK(parameters[0] == doctest::Approx(row.weight).epsilon(1e-5));
    CHECK(parameters[1] == doctest::Approx(row.bias).epsilon(1e-5));
  }
}

TEST_CASE(
    "mlp: learns what no line can, keeps the best epoch, stops early; the same bytes on every processor") {
  Dataset data;
  Random random(9);
  for (int i = 0; i < 800; ++i) {
    const double a = random.uniform(-1, 1), b = random.uniform(-1, 1);
    data.X.values.insert(data.X.values.end(), {static_cast<float>(a), static_cast<float>(b)});
    data.y.push_back(a * b > 0 ? 1 : 0);
  }
  data.X.rows = 800, data.X.cols = 2;
  const HyperParameters parameters{{"predictor_type", "binary_classifier"},
                                   {"hidden_layers", "16,16"},
                                   {"learning_rate", "0.01"},
                                   {"epochs", "60"}};
  const Fitted fitted = fit_labelled("mlp", parameters, data);
  const auto metrics = test_mlp(parameters, *fitted.model, data);
  CHECK(metrics->at("binary_classification_accuracy") > 0.97);
  limit_isa(Isa::Baseline);
  const std::string plain = fit_labelled("mlp", parameters, data).model->save();
  limit_isa(Isa::Avx512);
  CHECK(plain == fitted.model->save());
  HyperParameters patient = parameters;
  patient["early_stopping_patience"] = "2", patient["early_stopping_tolerance"] = "0.9",
  patient["epochs"] = "500";
  CHECK(fit_labelled("mlp", patient, data).rounds == 3);
}

TEST_CASE("mlp: several networks hold out other rows each, and no row is judged twice") {
  Dataset data = sample_data(SampleTask::Regression, 53, 2, 3);
  const HeldOutRows five = hold_out_rows(data, 5, 0.2, 100, Random(1));
  REQUIRE(five.of.size() == 5);
  std::multiset<double> judged, all(data.y.begin(), data.y.end());
  for (std::size_t m = 0; m < 5; ++m) {
    const auto [begin, end] = five.of[m];
    CHECK(end - begin == 10);
    CHECK(five.learnt[m].size() == 43);
    std::multiset<double> both(five.rows.y.begin() + static_cast<std::ptrdiff_t>(begin),
                               five.rows.y.begin() + static_cast<std::ptrdiff_t>(end));
    judged.insert(both.begin(), both.end());
    for (const std::uint32_t row : five.learnt[m]) both.insert(data.y[row]);
    CHECK(both == all);
  }
  CHECK(std::set<double>(judged.begin(), judged.end()).size() == 50);
  CHECK(hold_out_rows(data, 1, 0.9, 7, Random(1)).rows.X.rows == 7);
  CHECK(hold_out_rows(data, 5, 0.01, 100, Random(1)).empty());
  data.weights.assign(53, 0), data.weights[7] = 1;
  CHECK(hold_out_rows(data, 5, 0.2, 100, Random(1)).empty());  // one row of weight can't be on both sides
}

TEST_CASE("mlp: with few and noisy rows the defaults generalise, which a network alone does not") {
  const auto noisy = [](std::size_t n, std::uint64_t seed) {
    Random random(seed);
    Dataset data;
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (int j = 0; j < 6; ++j) {
        const double x = random.normal();
        data.X.values.push_back(static_cast<float>(x));
        sum += j < 2 ? x : 0;
      }
      data.y.push_back(sum + 1.5 * random.normal());
    }
    data.X.rows = n, data.X.cols = 6;
    return data;
  };
  const Dataset train = noisy(300, 1), test = noisy(2000, 2);
  HyperParameters parameters{{"predictor_type", "regressor"}, {"hidden_layers", "64,32"}};
  const Fitted fitted = fit_labelled("mlp", parameters, train);
  const double rmse = test_mlp(parameters, *fitted.model, test)->at("rmse");
  CHECK(rmse < 1.75);  // 1.5 is what nothing explains
  CHECK(fitted.metrics.at("validation:rmse") == doctest::Approx(rmse).epsilon(0.2));
  parameters["num_models"] = "1", parameters["validation_fraction"] = "0";
  const Fitted alone = fit_labelled("mlp", parameters, train);
  CHECK(test_mlp(parameters, *alone.model, test)->at("rmse") > rmse + 0.1);
  CHECK(!alone.metrics.contains("validation:rmse"));
}

TEST_CASE("mlp: hidden_layers is read strictly") {
  const Dataset data = sample_data(SampleTask::Regression, 40, 2, 10);
  HyperParameters parameters{{"predictor_type", "regressor"}, {"epochs", "2"}};
  for (const char* good : {"none", "4", "4,3", " 4 , 3 "}) {
    parameters["hidden_layers"] = good;
    CHECK(try_fit("mlp", parameters, data).has_value());
  }
  for (const char* bad : {"4,", "0", "4;3", "a", "-4", "1e3", "99999999999"}) {
    parameters["hidden_layers"] = bad;
    CAPTURE(bad);
    const auto refused = try_fit("mlp", parameters, data);
    REQUIRE(!refused);
    CHECK(refused.error().message.find("expected numbers of units from 1 to 65536") != std::string::npos);
  }
  CHECK(try_fit("mlp", {{"predictor_type", "multiclass_classifier"}}, data).error().message ==
        "hyperparameter 'num_classes' is required for a multiclass_classifier");
}
