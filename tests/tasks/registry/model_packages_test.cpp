#include "tasks/registry/model_packages.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kPackage =
    R"({"ModelPackageGroupName":"churn","InferenceSpecification":{"Containers":[{"Image":"xgboost","ModelDataUrl":"s3://b/m/"}]}})";
const std::string kArn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn/";

}  // namespace

TEST_CASE("Registry: versions count from 1, and a number is not used again") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  CHECK(driver.run("aws-sdk:sagemaker:createModelPackage", kPackage) ==
        "{\"ModelPackageArn\":\"" + kArn + "1\"}");
  CHECK(driver.run("aws-sdk:sagemaker:createModelPackage", kPackage) ==
        "{\"ModelPackageArn\":\"" + kArn + "2\"}");
  CHECK(driver.run("aws-sdk:sagemaker:deleteModelPackage", R"({"ModelPackageName":"churn/2"})") == "{}");
  CHECK(driver.run("aws-sdk:sagemaker:createModelPackage", kPackage) ==
        "{\"ModelPackageArn\":\"" + kArn + "3\"}");
  const Json list =
      parse(driver.run("aws-sdk:sagemaker:listModelPackages", R"({"ModelPackageGroupName":"churn"})"));
  REQUIRE(list["ModelPackageSummaryList"].size() == 2);
  CHECK(list["ModelPackageSummaryList"][0]["ModelPackageVersion"] == 3);
}

TEST_CASE(
    "Registry: a second dispatch of one attempt, or a second use of a ClientToken, makes no second version") {
  const TemporaryHome home;
  const auto key = TaskDriver::key(7);
  std::string first;
  for (int dispatch = 0; dispatch < 2; ++dispatch) {
    TaskDriver driver(home.path());
    driver.start(key, "aws-sdk:sagemaker:createModelPackage", kPackage);
    REQUIRE(driver.wait(key));
    const std::string answer = TaskDriver::text(*driver.seen[key].outcome);
    if (dispatch == 0) first = answer;
    CHECK(answer == first);
  }
  TaskDriver driver(home.path());
  Json with_token = parse(kPackage);
  with_token["ClientToken"] = "t1";
  std::vector<std::string> answers;
  for (int i = 0; i < 2; ++i)
    driver.runner->call("sagemaker", "createModelPackage", to_payload(with_token), "someone",
                        [&](Outcome outcome) { answers.push_back(TaskDriver::text(outcome)); });
  REQUIRE(driver.loop->run_until([&] { return answers.size() == 2; }));
  CHECK(answers[0] == answers[1]);
  CHECK(parse(driver.run("aws-sdk:sagemaker:listModelPackages", "{}"))["ModelPackageSummaryList"].size() ==
        2);
}

TEST_CASE("Registry: approval keeps who, when and why; only Approved packages can be deployed") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  driver.run("aws-sdk:sagemaker:createModelPackage", kPackage);
  const std::string model = R"({"ModelName":"m","PrimaryContainer":{"ModelPackageName":")" + kArn + R"(1"}})";
  CHECK(driver.run("sagemaker:createModel", model) ==
        "SageMaker.ValidationException: model package \"churn/1\" is PendingManualApproval; only Approved "
        "packages can be "
        "deployed (approve it: updateModelPackage with ModelApprovalStatus Approved)");
  CHECK(driver.run("aws-sdk:sagemaker:updateModelPackage",
                   R"({"ModelPackageArn":"churn/1","ModelApprovalStatus":"Maybe"})") ==
        "SageMaker.ValidationException: ModelApprovalStatus: \"Maybe\" is not one of "
        "PendingManualApproval|Approved|Rejected");
  driver.run("aws-sdk:sagemaker:updateModelPackage",
             "{\"ModelPackageArn\":\"" + kArn +
                 R"(1","ModelApprovalStatus":"Approved","ApprovalDescription":"AUC above 0.8"})");
  const Json package =
      parse(driver.run("aws-sdk:sagemaker:describeModelPackage", R"({"ModelPackageName":"churn/1"})"));
  CHECK(package["ModelApprovalStatus"] == "Approved");
  CHECK(!package.contains("Millrace"));
  REQUIRE(package["ApprovalHistory"].size() == 2);
  CHECK(package["ApprovalHistory"][0]["Status"] == "PendingManualApproval");
  CHECK(package["ApprovalHistory"][1]["Description"] == "AUC above 0.8");
  CHECK(package["ApprovalHistory"][1]["By"] == "execution test, state State");
  CHECK(package["ApprovalHistory"][1]["Time"].get<std::int64_t>() > 1'700'000'000'000);
  CHECK(driver.run("sagemaker:createModel", model) ==
        R"({"ModelArn":"arn:aws:sagemaker:us-east-1:123456789012:model/m"})");
  CHECK(driver.run("aws-sdk:sagemaker:deleteModelPackageGroup", R"({"ModelPackageGroupName":"churn"})") ==
        "SageMaker.ConflictException: model package group \"churn\" has model packages (delete them first)");
}
