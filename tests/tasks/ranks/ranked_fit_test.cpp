// Boosted trees in ranks: every setting that looks at more than one row comes to the bytes of one rank.

#include <algorithm>

#include "base/random.h"
#include "tests/tasks/ranks/ranks_of_test.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct BoostCase {
  const char* name;
  SampleTask task;
  HyperParameters parameters;
};

std::vector<BoostCase> boost_cases() {
  using enum SampleTask;
  return {
      {"deep trees, every row in the end",
       Regression,
       {{"max_depth", "0"}, {"min_child_weight", "0"}, {"num_round", "3"}}},
      {"leaf-wise",
       Binary,
       {{"objective", "binary:logistic"},
        {"grow_policy", "lossguide"},
        {"max_leaves", "20"},
        {"num_round", "4"}}},
      {"medians in leaves", Regression, {{"objective", "reg:absoluteerror"}, {"num_round", "4"}}},
      {"samples of rows and features",
       Binary,
       {{"objective", "binary:logistic"},
        {"subsample", "0.5"},
        {"colsample_bylevel", "0.5"},
        {"colsample_bynode", "0.7"},
        {"num_round", "5"}}},
      {"forest",
       Classes,
       {{"objective", "multi:softprob"},
        {"num_class", "3"},
        {"num_parallel_tree", "3"},
        {"subsample", "0.6"},
        {"num_round", "2"}}},
      {"constraints",
       Regression,
       {{"monotone_constraints", "(1,-1,0,0)"},
        {"interaction_constraints", "[[0,1],[1,2,3]]"},
        {"num_round", "4"}}},
      {"dropout", Regression, {{"booster", "dart"}, {"rate_drop", "0.5"}, {"num_round", "6"}}},
      {"many bins", Regression, {{"max_bin", "1000"}, {"num_round", "3"}}},
      {"early stopping",
       Binary,
       {{"objective", "binary:logistic"}, {"early_stopping_rounds", "2"}, {"eta", "1"}, {"num_round", "60"}}},
  };
}

}  // namespace

TEST_CASE("ranks: boosted trees have the bytes of one rank, whichever rows each has") {
  const EstimatorKind& kind = *find_estimator("xgboost");
  for (const BoostCase& c : boost_cases()) {
    SUBCASE(c.name) {
      const Dataset train = sample_data(c.task, 700, 4, 3), validation = sample_data(c.task, 200, 4, 4);
      auto estimator = kind.make(c.parameters);
      REQUIRE_MESSAGE(estimator, (estimator ? "" : estimator.error().message));
      FitContext context;
      context.seed = 11;
      const auto alone = (*estimator)->fit(train, &validation, context);
      REQUIRE(alone);
      for (const int ranks : {2, 4}) {
        for (const Sharding sharding : {Sharding::InOrder, Sharding::EveryThird}) {
          for (const auto& fitted :
               fit_on_ranks(kind, c.parameters, train, &validation, context, ranks, sharding)) {
            REQUIRE_MESSAGE(fitted, (fitted ? "" : fitted.error().message));
            CHECK(fitted->model->save() == alone->model->save());
          }
        }
      }
    }
  }
}

// Sums of gradients that lie on a power of two, where rounding of a sum could choose another unit: 512 rows
// whose gradients are +-1/2, in any order of adding.
TEST_CASE("ranks: units of gradients do not depend on the order of adding") {
  const EstimatorKind& kind = *find_estimator("xgboost");
  Dataset train = sample_data(SampleTask::Binary, 512, 3, 8);
  const HyperParameters parameters = {{"objective", "binary:logistic"}, {"num_round", "3"}};
  auto estimator = kind.make(parameters);
  REQUIRE(estimator);
  for (const double weight : {1.0, 0.1, 1.0 / 3}) {
    train.weights.assign(512, weight);
    const auto alone = (*estimator)->fit(train, nullptr, {});
    REQUIRE(alone);
    for (const auto& fitted : fit_on_ranks(kind, parameters, train, nullptr, {}, 3, Sharding::EveryThird)) {
      REQUIRE(fitted);
      CHECK(fitted->model->save() == alone->model->save());
    }
  }
}

TEST_CASE("ranks: a rank whose rows are wrong names the row, and the others end") {
  const EstimatorKind& kind = *find_estimator("xgboost");
  Dataset train = sample_data(SampleTask::Binary, 600, 3, 8);
  train.y[500] = 7;
  const auto fitted = fit_on_ranks(kind, {{"objective", "binary:logistic"}, {"num_round", "3"}}, train,
                                   nullptr, {}, 2, Sharding::InOrder);
  REQUIRE(!fitted[0]);
  REQUIRE(!fitted[1]);
  CHECK(fitted[0].error().code == ErrorCode::Unavailable);
  CHECK(fitted[1].error().code == ErrorCode::InvalidArgument);
}
