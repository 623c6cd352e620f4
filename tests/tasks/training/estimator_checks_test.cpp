// The estimator battery: what every row of estimators() promises, run over every row.

#include <doctest/doctest.h>

#include <limits>
#include <thread>

#include "tasks/training/estimator.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// One way to run an algorithm in the battery.
struct Case {
  std::string_view algorithm;
  SampleTask task;
  HyperParameters parameters;
  bool takes_missing;
  bool any_thread_count;  // the same bytes whatever the number of threads
};

std::vector<Case> cases() {
  using enum SampleTask;
  return {
      {"xgboost", Regression, {{"num_round", "5"}, {"subsample", "0.7"}}, true, true},
      {"xgboost",
       Binary,
       {{"num_round", "5"}, {"objective", "binary:logistic"}, {"subsample", "0.7"}, {"tree_method", "hist"}},
       true,
       true},
      {"xgboost",
       Classes,
       {{"num_round", "5"}, {"objective", "multi:softprob"}, {"num_class", "3"}, {"colsample_bytree", "0.6"}},
       true,
       true},
      {"xgboost",
       Binary,
       {{"num_round", "5"}, {"objective", "binary:logistic"}, {"booster", "dart"}, {"rate_drop", "0.3"}},
       true,
       true},
      {"xgboost",
       Regression,
       {{"num_round", "5"}, {"booster", "gblinear"}, {"updater", "coord_descent"}},
       true,
       true},
      {"linear-learner", Regression, {{"predictor_type", "regressor"}, {"wd", "0.001"}}, false, true},
      {"linear-learner", Binary, {{"predictor_type", "binary_classifier"}, {"wd", "0.001"}}, false, true},
      {"linear-learner",
       Classes,
       {{"predictor_type", "multiclass_classifier"}, {"num_classes", "3"}, {"wd", "0.001"}},
       false,
       true},
      {"linear-learner", Binary, {{"predictor_type", "binary_classifier"}, {"l1", "0.001"}}, false, true},
      {"linear-learner",
       Binary,
       {{"predictor_type", "binary_classifier"}, {"loss", "hinge_loss"}, {"mini_batch_size", "32"}},
       false,
       true},
      {"linear-learner",
       Regression,
       {{"predictor_type", "regressor"},
        {"loss", "absolute_loss"},
        {"mini_batch_size", "32"},
        {"learning_rate", "0.05"}},
       false,
       true},
  };
}

Result<Fitted> fit(const Case& c, const Dataset& train, const Dataset* validation = nullptr,
                   FitContext context = {}) {
  const EstimatorKind* kind = find_estimator(c.algorithm);
  MR_TRY(estimator, kind->make(c.parameters));
  return estimator->fit(train, validation, context);
}

std::string message_of(const Result<Fitted>& result) {
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::InvalidArgument);
  return result.error().message;
}

Matrix predictions(const Model& model, MatrixView X) {
  auto result = model.predict(X);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  return *result;
}

double quality(const Case& c, const Model& model,
               const Dataset& data) {  // mean squared error, or share of errors
  const Matrix p = predictions(model, data.X);
  double wrong = 0;
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    if (c.task == SampleTask::Regression) {
      wrong += (p.at(i, 0) - data.y[i]) * (p.at(i, 0) - data.y[i]);
    } else if (c.task == SampleTask::Binary) {
      wrong += (p.at(i, 0) > 0.5f) != (data.y[i] > 0.5);
    } else {
      const float* row = &p.values[i * p.cols];
      wrong += std::max_element(row, row + p.cols) - row != static_cast<std::ptrdiff_t>(data.y[i]);
    }
  }
  return wrong / static_cast<double>(data.y.size());
}

template <class F>
void each_case(F f) {
  for (const Case& c : cases()) {
    std::string name(c.algorithm);
    for (const auto& [key, value] : c.parameters) name += " " + key + "=" + value;
    SUBCASE(name.c_str()) {
      f(c);
    }
  }
}

}  // namespace

TEST_CASE("estimators: every row of the table is in the battery") {
  for (const EstimatorKind& kind : estimators()) {
    CAPTURE(kind.name);
    if (kind.own_form != nullptr) continue;  // its data is no Dataset; its own tests hold it to the contract
    CHECK(std::ranges::any_of(cases(), [&](const Case& c) { return c.algorithm == kind.name; }));
    CHECK(!kind.summary.empty());
    CHECK(std::ranges::find(kind.metrics, kind.default_metric) != kind.metrics.end());
    for (const HyperParameterRule& rule : kind.rules) {
      CAPTURE(rule.name);
      if (!rule.default_value.empty()) {  // the default keeps the rule
        HyperParameters parameters = cases()[0].parameters;
        for (const Case& c : cases()) {
          if (c.algorithm == kind.name) {
            parameters = c.parameters;
            break;
          }
        }
        parameters[std::string(rule.name)] = rule.default_value;
        const Status checked = check_hyperparameters(kind, parameters);
        CHECK_MESSAGE(checked.has_value(), (checked ? "" : checked.error().message));
      }
    }
  }
}

TEST_CASE("estimators: the fit finds the rule in the data") {
  each_case([](const Case& c) {
    Case longer = c;
    if (longer.parameters.contains("num_round")) longer.parameters["num_round"] = "40";
    const Dataset train = sample_data(c.task, 1500, 5, 1), test = sample_data(c.task, 500, 5, 2);
    auto fitted = fit(longer, train);
    REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
    // The variance of the regression target is 13.25, and a constant guess is wrong in half of the others.
    CHECK(quality(c, *fitted->model, test) < (c.task == SampleTask::Regression ? 1.5 : 0.1));
    CHECK(fitted->rounds > 0);
    CHECK(fitted->model->algorithm() == c.algorithm);
    CHECK(fitted->model->n_features() == 5);
  });
}

TEST_CASE("estimators: the same data, seed and settings give the same bytes; another seed need not") {
  each_case([](const Case& c) {
    const Dataset train = sample_data(c.task, 400, 5, 3);
    FitContext context;
    context.seed = 7;
    const std::string first = fit(c, train, nullptr, context)->model->save();
    CHECK(first == fit(c, train, nullptr, context)->model->save());
    if (!c.any_thread_count) return;
    context.threads = 3;
    CHECK(first == fit(c, train, nullptr, context)->model->save());
  });
}

TEST_CASE("estimators: load(save(m)) predicts the same bits, also from many threads at once") {
  each_case([](const Case& c) {
    const Dataset train = sample_data(c.task, 300, 5, 4), test = sample_data(c.task, 200, 5, 5);
    const auto fitted = fit(c, train);
    const std::string bytes = fitted->model->save();
    auto loaded = find_estimator(c.algorithm)->load(bytes);
    REQUIRE(loaded.has_value());
    const Matrix expected = predictions(*fitted->model, test.X);
    CHECK(predictions(**loaded, test.X).values == expected.values);
    CHECK((*loaded)->save() == bytes);
    std::atomic<int> different = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int k = 0; k < 20; ++k) {
          const std::size_t i = static_cast<std::size_t>(k) * 7 % 200;
          const auto one = (*loaded)->predict(MatrixView(test.X).slice(i, 1));
          const auto all = (*loaded)->predict(test.X);
          if (!one || !all || all->values != expected.values || one->at(0, 0) != expected.at(i, 0))
            ++different;
        }
      });
    }
    threads.clear();
    CHECK(different == 0);
  });
}

TEST_CASE("estimators: predictions are shaped (n, outputs), also for no rows, and refuse another width") {
  each_case([](const Case& c) {
    const Dataset train = sample_data(c.task, 100, 4, 6);
    const auto fitted = fit(c, train);
    const Matrix p = predictions(*fitted->model, train.X);
    CHECK(p.rows == 100);
    CHECK(p.cols == (c.task == SampleTask::Classes ? 3 : 1));
    CHECK(predictions(*fitted->model, MatrixView{nullptr, 0, 4}).rows == 0);
    const Matrix wide(2, 5);
    const auto refused = fitted->model->predict(wide);
    REQUIRE(!refused);
    CHECK(refused.error().code == ErrorCode::InvalidArgument);
    CHECK(refused.error().message.find("expects 4") != std::string::npos);
    if (c.task != SampleTask::Regression) {
      for (const float value : p.values) CHECK((value >= 0 && value <= 1));
    }
    for (std::size_t i = 0; c.task == SampleTask::Classes && i < p.rows; ++i) {
      CHECK(p.at(i, 0) + p.at(i, 1) + p.at(i, 2) == doctest::Approx(1).epsilon(1e-4));
    }
  });
}

TEST_CASE("estimators: shapes and values are checked at the door, with row and column in the message") {
  each_case([](const Case& c) {
    const Dataset good = sample_data(c.task, 50, 3, 7);
    Dataset bad = good;
    bad.y.pop_back();
    CHECK(message_of(fit(c, bad)) == "train: 50 rows, but 49 targets");
    bad = good, bad.weights = {1, 2};
    CHECK(message_of(fit(c, bad)) == "train: 50 rows, but 2 weights");
    bad = good, bad.weights.assign(50, 1), bad.weights[4] = -1;
    CHECK(message_of(fit(c, bad)) == "train: row 4: the weight is not a finite number of at least 0");
    bad = good, bad.y[9] = std::nan("");
    CHECK(message_of(fit(c, bad)) == "train: row 9: target 'y' is missing or not finite");
    bad = good, bad.X.at(3, 1) = std::numeric_limits<float>::infinity();
    CHECK(message_of(fit(c, bad)) ==
          "train: row 3, column 'x1': the value is infinite or too large for a float");
    bad = Dataset(), bad.X = Matrix(0, 3);
    CHECK(message_of(fit(c, bad)) == "train: there are no rows");
    bad = good, bad.X = Matrix(50, 0);
    CHECK(message_of(fit(c, bad)) == "train: there are no feature columns");
    bad = sample_data(c.task, 20, 4, 8);
    CHECK(message_of(fit(c, good, &bad)) == "validation: 4 feature columns, but train has 3");
    bad = good, std::swap(bad.feature_names[0], bad.feature_names[1]);
    CHECK(message_of(fit(c, good, &bad)) == "validation: feature 0 is 'x1', but 'x0' in train");
    if (c.task != SampleTask::Regression) {
      bad = good, bad.y[5] = 7;
      CHECK(
          message_of(fit(c, bad)).starts_with("train: row 5: the target is 7, expected a class from 0 to "));
    }
  });
}

TEST_CASE("estimators: missing values are learned from or refused, never silently dropped") {
  each_case([](const Case& c) {
    Dataset data = sample_data(c.task, 200, 3, 9);
    for (std::size_t i = 0; i < 200; i += 3) data.X.at(i, 1) = std::nanf("");
    const auto fitted = fit(c, data);
    if (!c.takes_missing) {
      CHECK(message_of(fitted) == "train: row 0, column 'x1': the value is missing");
      return;
    }
    REQUIRE(fitted.has_value());
    for (const float p : predictions(*fitted->model, data.X).values) CHECK(std::isfinite(p));
  });
}

TEST_CASE("estimators: a row of weight two counts as two rows") {
  each_case([](const Case& c) {
    Case plain = c;  // without sampling, which sees rows and not weights
    for (const char* name : {"subsample", "colsample_bytree", "rate_drop"}) plain.parameters.erase(name);
    if (plain.parameters.contains("num_round")) plain.parameters["tree_method"] = "exact";
    if (plain.parameters.contains("mini_batch_size"))
      plain.parameters["mini_batch_size"] = "1000";                            // all rows
    if (plain.algorithm == "linear-learner") plain.parameters["wd"] = "0.01";  // auto is one over the rows
    if (plain.parameters.contains("booster") && plain.parameters["booster"] == "gblinear")
      return;  // sums per row, no weights in the bias
    const Dataset data = sample_data(c.task, 120, 3, 10);
    Dataset weighted = data, doubled = data;
    for (std::size_t i = 0; i < 120; ++i) {
      weighted.weights.push_back(i % 2 == 0 ? 2 : 1);
      if (i % 2 != 0) continue;
      const auto row = data.X.values.begin() + static_cast<std::ptrdiff_t>(i * 3);
      doubled.X.values.insert(doubled.X.values.end(), row, row + 3), ++doubled.X.rows;
      doubled.y.push_back(data.y[i]);
    }
    const Matrix a = predictions(*fit(plain, weighted)->model, data.X),
                 b = predictions(*fit(plain, doubled)->model, data.X);
    double difference = 0;
    for (std::size_t i = 0; i < a.values.size(); ++i)
      difference = std::max<double>(difference, std::abs(a.values[i] - b.values[i]));
    CHECK(difference < 2e-2);
  });
}

TEST_CASE("estimators: odd data is fitted without harm: constant columns, one class, one row") {
  each_case([](const Case& c) {
    Dataset constant = sample_data(c.task, 60, 3, 11);
    for (std::size_t i = 0; i < 60; ++i) constant.X.at(i, 2) = 5;
    Dataset one_class = sample_data(c.task, 60, 3, 12);
    one_class.y.assign(60, 1);
    Dataset one_row = sample_data(c.task, 1, 3, 13);
    for (const Dataset* data : {&constant, &one_class, &one_row}) {
      const auto fitted = fit(c, *data, data);
      REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
      for (const float p : predictions(*fitted->model, data->X).values) CHECK(std::isfinite(p));
    }
  });
}

TEST_CASE("estimators: cancelling ends the fit at the next unit of work") {
  each_case([](const Case& c) {
    const Dataset train = sample_data(c.task, 200, 3, 14);
    int asked = 0;
    FitContext context;
    context.cancelled = [&] { return ++asked > 2; };
    const auto fitted = fit(c, train, nullptr, context);
    REQUIRE(!fitted);
    CHECK(fitted.error().code == ErrorCode::Cancelled);
    CHECK(asked == 3);
  });
}

TEST_CASE("estimators: progress and metrics come once a round; stop_early keeps the model so far") {
  each_case([](const Case& c) {
    const Dataset train = sample_data(c.task, 200, 3, 15), validation = sample_data(c.task, 100, 3, 16);
    std::vector<std::int64_t> rounds;
    std::map<std::string, int> seen;
    FitContext context;
    context.progress = [&](const Progress& p) { rounds.push_back(p.round); };
    context.metric = [&](const MetricPoint& m) { ++seen[m.name]; };
    auto fitted = fit(c, train, &validation, context);
    REQUIRE(fitted.has_value());
    for (std::size_t i = 0; i < rounds.size(); ++i) CHECK(rounds[i] == static_cast<std::int64_t>(i) + 1);
    CHECK(!seen.empty());
    const EstimatorKind* kind = find_estimator(c.algorithm);
    for (const auto& [name, times] : seen) {
      CAPTURE(name);
      CHECK(static_cast<std::size_t>(times) == rounds.size());
      CHECK(std::ranges::find(kind->metrics, name) != kind->metrics.end());
      CHECK(fitted->metrics.contains(name));
    }
    context.stop_early = [](const MetricPoint& m) { return m.round >= 1; };
    fitted = fit(c, train, &validation, context);
    REQUIRE(fitted.has_value());
    CHECK(fitted->rounds == 2);
    CHECK(predictions(*fitted->model, train.X).rows == 200);
  });
}

TEST_CASE("estimators: bytes that are no model are refused, never a crash") {
  each_case([](const Case& c) {
    const EstimatorKind* kind = find_estimator(c.algorithm);
    const Dataset train = sample_data(c.task, 80, 3, 17);
    const std::string bytes = fit(c, train)->model->save();
    CHECK(!kind->load(""));
    CHECK(!kind->load("{}"));
    CHECK(!kind->load(std::string(100000, '[')));
    for (std::size_t cut = 1; cut < bytes.size(); cut += std::max<std::size_t>(1, bytes.size() / 40)) {
      const auto loaded = kind->load(std::string_view(bytes).substr(0, cut));
      REQUIRE(!loaded);
      CHECK(loaded.error().code == ErrorCode::DataLoss);
    }
    Random random(18);
    for (int k = 0; k < 150; ++k) {
      std::string damaged = bytes;
      for (int times = 0; times < 3; ++times)
        damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
      const auto loaded = kind->load(damaged);
      if (loaded && (*loaded)->n_features() == 3) (void)(*loaded)->predict(train.X);
    }
  });
}
