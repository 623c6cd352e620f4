// A whole pipeline through JSON requests: split, prepare, train, evaluate, register, approve, deploy, score.

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/deployment/invoke.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Customers: who leaves follows from plan, minutes and age, with noise; some ages are missing.
std::string customers(int rows) {
  Random random(11);
  std::string csv = "id,plan,minutes,age,churn\n";
  for (int i = 0; i < rows; ++i) {
    const bool basic = random.uniform() < 0.5;
    const double minutes = random.uniform(0, 300), age = std::floor(random.uniform(18, 80));
    const double leaning = (basic ? 1.5 : -1.5) + (150 - minutes) / 60 + random.normal() * 0.7;
    csv += std::to_string(i) + "," + (basic ? "basic" : "premium") + "," + std::to_string(minutes) + "," +
           (random.uniform() < 0.1 ? "" : std::to_string(age)) + "," + (leaning > 0 ? "yes" : "no") + "\n";
  }
  return csv;
}

Json input(const char* name, const char* uri) {
  return {{"InputName", name},
          {"S3Input", {{"S3Uri", uri}, {"LocalPath", std::string("/opt/ml/processing/") + name}}}};
}
Json output(const char* name, const char* uri) {
  return {{"OutputName", name},
          {"S3Output",
           {{"S3Uri", uri},
            {"LocalPath", std::string("/opt/ml/processing/out-") + name},
            {"S3UploadMode", "EndOfJob"}}}};
}
std::string processing(const char* name, const char* image, const Json& inputs, const Json& outputs,
                       const Json& settings) {
  return Json{{"ProcessingJobName", name},
              {"AppSpecification", {{"ImageUri", image}}},
              {"ProcessingInputs", inputs},
              {"ProcessingOutputConfig", {{"Outputs", outputs}}},
              {"Environment", {{"SETTINGS", settings.dump()}}},
              {"RoleArn", "arn:aws:iam::123456789012:role/MLRole"}}
      .dump();
}
Json channel(const char* name, const char* uri) {
  return {{"ChannelName", name},
          {"ContentType", "text/csv"},
          {"DataSource", {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", uri}}}}}};
}

}  // namespace

TEST_CASE("Pipeline: from raw rows to an endpoint that scores raw rows") {
  const TemporaryHome home;
  home.write("objects/churn/raw/customers.csv", customers(2000));
  TaskDriver driver(home.path());
  const auto run = [&](const char* operation, const std::string& request) {
    const std::string text = driver.run(operation, request);
    INFO(operation << ": " << text);
    const Json answer = parse(text);
    REQUIRE(answer.is_object());
    return answer;
  };
  const char* process = "sagemaker:createProcessingJob.sync";

  run(process, processing("split", "split", Json::array({input("data", "s3://churn/raw/")}),
                          Json::array({output("parts", "s3://churn/split/")}),
                          Json::parse(R"({"method":"stratified","column":"churn","seed":1})")));
  run(process, processing("prepare", "prepare",
                          Json::array({input("train", "s3://churn/split/train/"),
                                       input("validation", "s3://churn/split/validation/"),
                                       input("test", "s3://churn/split/test/")}),
                          Json::array({output("prepared", "s3://churn/prepared/")}), Json::parse(R"({
      "target": "churn", "positive": "yes",
      "steps": [{"step": "drop", "columns": ["id"]},
                {"step": "impute", "columns": ["age"], "strategy": "median"},
                {"step": "one_hot", "columns": ["plan"]}]})")));
  const Json trained =
      run("sagemaker:createTrainingJob.sync",
          Json{{"TrainingJobName", "churn"},
               {"AlgorithmSpecification", {{"TrainingImage", "xgboost"}}},
               {"HyperParameters",
                {{"objective", "binary:logistic"},
                 {"num_round", "60"},
                 {"eta", "0.1"},
                 {"max_depth", "4"},
                 {"eval_metric", "auc"}}},
               {"InputDataConfig", Json::array({channel("train", "s3://churn/prepared/train/"),
                                                channel("validation", "s3://churn/prepared/validation/")})},
               {"OutputDataConfig", {{"S3OutputPath", "s3://churn/models/"}}}}
              .dump());
  const std::string artifact = trained["ModelArtifacts"]["S3ModelArtifacts"];

  const std::string package = run(
      "aws-sdk:sagemaker:createModelPackage",
      Json{{"ModelPackageGroupName", "churn"},
           {"InferenceSpecification", {{"Containers", {{{"Image", "xgboost"}, {"ModelDataUrl", artifact}}}}}}}
          .dump())["ModelPackageArn"];
  CHECK(package == "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn/1");
  run("aws-sdk:sagemaker:updateModelPackage",
      Json{{"ModelPackageArn", package}, {"ModelApprovalStatus", "Approved"}}.dump());
  run("sagemaker:createModel",
      Json{{"ModelName", "churn-1"}, {"Containers", {{{"ModelPackageName", package}}}}}.dump());
  run("sagemaker:createEndpointConfig",
      R"({"EndpointConfigName":"churn-1","ProductionVariants":[{"VariantName":"AllTraffic","ModelName":"churn-1"}]})");
  run("sagemaker:createEndpoint", R"({"EndpointName":"churn","EndpointConfigName":"churn-1"})");

  const auto invoke = [&](const char* type, const char* body) {
    return invoke_endpoint(driver.runner->endpoints(), "churn", type, body, "text/csv");
  };
  const auto leaves = invoke(
      "application/json",
      R"({"instances":[{"plan":"basic","minutes":5,"age":null,"id":7},{"plan":"premium","minutes":290,"age":40,"id":8}]})");
  INFO((leaves ? leaves->body : leaves.error().message));
  REQUIRE(leaves);
  CHECK(std::stod(leaves->body) > 0.9);
  CHECK(std::stod(leaves->body.substr(leaves->body.find('\n') + 1)) < 0.1);
  const auto wrong = invoke("text/csv", "basic\n");
  REQUIRE(!wrong);
  INFO(wrong.error().message);
  CHECK(wrong.error().message.find("Invalid data format. Input data has 1 while the model expects ") == 0);
  CHECK(wrong.error().message.find("plan, minutes, age") != std::string::npos);

  // Batch: raw rows with a header, by name.
  run("sagemaker:createTransformJob.sync",
      R"({"TransformJobName":"score","ModelName":"churn-1","TransformInput":{"ContentType":"text/csv","SplitType":"Line","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":"s3://churn/split/test/"}}},"TransformOutput":{"S3OutputPath":"s3://churn/scores/"},"DataProcessing":{"JoinSource":"Input","OutputFilter":"$[0,-2,-1]"}})");
  const std::string scores = home.read("objects/churn/scores/data.csv.out");
  CHECK(scores.substr(0, scores.find('\n')) == "id,churn,score");
  int right = 0, rows = 0;
  for (std::size_t at = scores.find('\n') + 1; at < scores.size(); at = scores.find('\n', at) + 1, ++rows) {
    const std::size_t comma = scores.find(',', at), second = scores.find(',', comma + 1);
    right += (scores.substr(comma + 1, second - comma - 1) == "yes") ==
             (std::stod(scores.substr(second + 1)) > 0.5);
  }
  CHECK(rows == 300);
  CHECK(right > 0.85 * rows);
}
