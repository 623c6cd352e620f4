#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kProcess = "sagemaker:createProcessingJob.sync";

Json split_request(const char* name) {
  return {{"ProcessingJobName", name},
          {"AppSpecification", {{"ImageUri", "split"}}},
          {"ProcessingInputs", {{{"InputName", "data"}, {"S3Input", {{"S3Uri", "s3://b/raw/"}}}}}},
          {"ProcessingOutputConfig",
           {{"Outputs", {{{"OutputName", "parts"}, {"S3Output", {{"S3Uri", "s3://b/parts/"}}}}}}}},
          {"Environment", {{"SETTINGS", R"({"train":0.75,"validation":0,"test":0.25})"}}}};
}

}  // namespace

TEST_CASE("Processing job: a built-in processor by its name, its summary in the record") {
  const TemporaryHome home;
  std::string csv = "x,y\n";
  for (int i = 0; i < 100; ++i) csv += std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  home.write("objects/b/raw/data.csv", csv);
  TaskDriver driver(home.path());
  const std::string text = driver.run(kProcess, split_request("split-1").dump());
  INFO(text);
  const Json answer = Json::parse(text, nullptr, false);
  REQUIRE(answer.is_object());
  CHECK(answer["ProcessingJobStatus"] == "Completed");
  CHECK(answer["ProcessingJobArn"] == "arn:aws:sagemaker:us-east-1:123456789012:processing-job/split-1");
  CHECK(answer["Summary"].is_object());
  CHECK(!answer.contains("SecondaryStatus"));
}

TEST_CASE(
    "Processing job: an image that is neither built in nor a program is refused before a record exists") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  Json request = split_request("a");
  request["AppSpecification"]["ImageUri"] =
      "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:0.20.0-cpu-py3";
  CHECK(driver.run(kProcess, request.dump())
            .find("SageMaker.ValidationException: AppSpecification.ImageUri: \"1234") == 0);
  CHECK(driver.runner->jobs().list("ProcessingJob")->empty());
}

TEST_CASE("Processing job: missing data fails the job, not the request") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const std::string text = driver.run(kProcess, split_request("a").dump());
  REQUIRE(text.find("States.TaskFailed: ") == 0);
  const Json document = Json::parse(text.substr(std::string("States.TaskFailed: ").size()), nullptr, false);
  CHECK(document["ProcessingJobStatus"] == "Failed");
  CHECK(document["FailureReason"].get<std::string>().find("ClientError: ") == 0);
}
