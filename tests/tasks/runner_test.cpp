#include "tasks/runner.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

TEST_CASE("Runner: serves what the catalog has, in the forms the resource may take") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  REQUIRE(driver.runner);
  const auto serves = [&](const char* resource) { return driver.runner->serves(resource); };
  CHECK(serves("arn:aws:states:::sagemaker:createModel"));
  CHECK(serves("arn:aws:states:::aws-sdk:sagemaker:createModel"));
  CHECK(serves("arn:aws-cn:states:cn-north-1:123456789012:sagemaker:createModel"));
  CHECK(!serves("arn:aws:states:::sagemaker:createModel.sync"));
  CHECK(!serves("arn:aws:states:::sagemaker:describeModel"));
  CHECK(serves("arn:aws:states:::aws-sdk:sagemaker:describeModel"));
  CHECK(serves("arn:aws:states:::aws-sdk:s3:getObject"));
  CHECK(!serves("arn:aws:states:::s3:getObject"));
  CHECK(serves("arn:aws:states:::aws-sdk:s3:createBucket"));
  CHECK(!serves("arn:aws:states:::aws-sdk:s3:putBucketPolicy"));
  CHECK(serves("arn:aws:lambda:us-east-1:123456789012:function:f"));
  CHECK(serves("arn:aws:states:::lambda:invoke"));
  CHECK(serves("arn:aws:states:::lambda:invoke.waitForTaskToken"));
  CHECK(serves("arn:aws:states:::aws-sdk:lambda:invoke"));
  CHECK(!serves("arn:aws:lambda:us-east-1:123456789012:layer:f"));
  CHECK(!serves("sagemaker:createModel"));
  CHECK(!serves(""));
}

TEST_CASE("Runner: arguments are read by type, and errors name the field") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  CHECK(driver.run("sagemaker:createModel", "[]") ==
        "SageMaker.ValidationException: the arguments must be an object");
  CHECK(driver.run("sagemaker:createModel", "{}") == "SageMaker.ValidationException: ModelName is required");
  CHECK(driver.run("sagemaker:createModel", R"({"ModelName":3})") ==
        "SageMaker.ValidationException: ModelName: expected a string, got the number 3");
  CHECK(driver.run("sagemaker:createModel",
                   R"({"ModelName":"m","Containers":[{"ModelDataUrl":"s3://b/k"},{"ModelDataUrl":7}]})") ==
        "SageMaker.ValidationException: Containers[1].ModelDataUrl: expected a string, got the number 7");
  CHECK(driver
            .run("sagemaker:createModel",
                 R"({"ModelName":"-m","PrimaryContainer":{"ModelDataUrl":"s3://b/k"}})")
            .find("ModelName \"-m\" may have letters") != std::string::npos);
}

TEST_CASE("Runner: a name is made once; the same attempt dispatched again is answered the same") {
  const TemporaryHome home;
  const std::string model = R"({"ModelName":"m","PrimaryContainer":{"ModelDataUrl":"s3://b/k"}})";
  const std::string arn = R"({"ModelArn":"arn:aws:sagemaker:us-east-1:123456789012:model/m"})";
  const auto key = TaskDriver::key(1);
  for (int process = 0; process < 2; ++process) {
    TaskDriver driver(home.path());
    driver.start(key, "sagemaker:createModel", model);
    REQUIRE(driver.wait(key));
    CHECK(TaskDriver::text(*driver.seen[key].outcome) == arn);
  }
  TaskDriver driver(home.path());
  CHECK(driver.run("sagemaker:createModel", model) ==
        "SageMaker.ValidationException: Cannot create already existing model "
        "\"arn:aws:sagemaker:us-east-1:123456789012:model/m\".");
  CHECK(driver.run("aws-sdk:sagemaker:describeModel", R"({"ModelName":"x"})") ==
        "SageMaker.ValidationException: Could not find Model \"x\"");
  const Json models = Json::parse(driver.run("aws-sdk:sagemaker:listModels", "{}"));
  CHECK(models["Models"].size() == 1);
}

TEST_CASE("Runner: goes down with calls under way, and reports nothing afterwards") {
  const TemporaryHome home;
  auto driver = std::make_unique<TaskDriver>(home.path());
  for (std::uint64_t visit = 1; visit <= 200; ++visit)
    driver->start(TaskDriver::key(visit), "aws-sdk:sagemaker:listModels", "{}");
  driver->runner.reset();
  driver->loop->run_until([] { return false; }, std::chrono::seconds(0));
  CHECK(driver->seen.empty());
}
