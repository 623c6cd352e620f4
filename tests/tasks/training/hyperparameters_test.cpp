#include <doctest/doctest.h>

#include "tasks/training/hyperparameters.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

std::string parameters_refusal(const HyperParameters& parameters) {
  HyperParameters all = parameters;
  all.try_emplace("num_round", "3");
  const Status status = check_hyperparameters(*find_estimator("xgboost"), all);
  return status ? "accepted" : status.error().message;
}

}  // namespace

TEST_CASE("hyperparameters: a wrong name gets the nearest one, and the list of all") {
  CHECK(parameters_refusal({{"max_dept", "3"}}) ==
        "hyperparameter 'max_dept' is not one of xgboost's: did you mean 'max_depth'?");
  CHECK(parameters_refusal({{"colsample_by_tree", "1"}}) ==
        "hyperparameter 'colsample_by_tree' is not one of xgboost's: did you mean 'colsample_bytree'?");
  CHECK(parameters_refusal({{"quite_another_thing", "1"}}) ==
        "hyperparameter 'quite_another_thing' is not one of xgboost's");
  const Status status = check_hyperparameters(*find_estimator("xgboost"), {{"x", "1"}});
  CHECK(status.error().hint.find("num_round, objective") != std::string::npos);
}

TEST_CASE("hyperparameters: a wrong value gets its type, range or choices") {
  CHECK(parameters_refusal({{"eta", "3"}}) == "hyperparameter 'eta' is '3': expected a number from 0 to 1");
  CHECK(parameters_refusal({{"max_depth", "6.5"}}) ==
        "hyperparameter 'max_depth' is '6.5': expected an integer from 0 to 64");
  CHECK(parameters_refusal({{"max_depth", "six"}}) ==
        "hyperparameter 'max_depth' is 'six': expected an integer from 0 to 64");
  CHECK(parameters_refusal({{"lambda", "-1"}}) ==
        "hyperparameter 'lambda' is '-1': expected a number of at least 0");
  CHECK(parameters_refusal({{"lambda", "nan"}}) ==
        "hyperparameter 'lambda' is 'nan': expected a number of at least 0");
  CHECK(parameters_refusal({{"booster", "forest"}}) ==
        "hyperparameter 'booster' is 'forest': expected one of gbtree|dart|gblinear");
  CHECK(parameters_refusal({{"num_round", "1e2"}}) == "accepted");
  CHECK(parameters_refusal({{"max_depth", "3.0"}, {"eta", "1"}}) == "accepted");
}

TEST_CASE("hyperparameters: required ones, alone and together") {
  const Status status = check_hyperparameters(*find_estimator("xgboost"), {});
  CHECK(status.error().message ==
        "hyperparameter 'num_round' is required by xgboost: expected an integer from 1 to 1000000");
  CHECK(parameters_refusal({{"objective", "multi:softprob"}}) ==
        "hyperparameter 'num_class' is required by objective multi:softprob");
}

TEST_CASE("find_estimator: built-in names and registry URIs of the same algorithm") {
  CHECK(find_estimator("xgboost")->name == "xgboost");
  CHECK(find_estimator("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1")->name ==
        "xgboost");
  CHECK(find_estimator("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest")->name == "xgboost");
  CHECK(find_estimator("registry/xgboost@sha256:abc")->name == "xgboost");
  CHECK(find_estimator("xgboost/mine") == nullptr);
  CHECK(find_estimator("") == nullptr);
}

TEST_CASE("larger_is_better: by the metric's name") {
  CHECK(larger_is_better("validation:auc"));
  CHECK(larger_is_better("train:accuracy"));
  CHECK(larger_is_better("validation:map@10"));
  CHECK(larger_is_better("train:oob_score"));
  CHECK(!larger_is_better("validation:logloss"));
  CHECK(!larger_is_better("validation:rmse"));
  CHECK(!larger_is_better("validation:mape"));
}
