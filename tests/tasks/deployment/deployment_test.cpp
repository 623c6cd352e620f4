#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/deployment/invoke.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// y = 1 where a > b, of `rows` rows of a grid; with a header, the target in front.
std::string rows_csv(int rows, bool header, bool target) {
  std::string csv = header ? (target ? "y,a,b\n" : "a,b\n") : "";
  for (int i = 0; i < rows; ++i) {
    const int a = (i * 37) % 101, b = (i * 53) % 97;
    csv += (target ? std::to_string(a > b) + "," : std::string()) + std::to_string(a) + "," +
           std::to_string(b) + "\n";
  }
  return csv;
}

Json training_request(const std::string& name, const std::string& eta = "0.3") {
  const auto channel = [](const char* channel_name, const char* uri) {
    return Json{{"ChannelName", channel_name},
                {"ContentType", "text/csv"},
                {"DataSource", {{"S3DataSource", {{"S3Uri", uri}, {"S3DataType", "S3Prefix"}}}}}};
  };
  return {
      {"TrainingJobName", name},
      {"AlgorithmSpecification",
       {{"TrainingImage", "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"},
        {"TrainingInputMode", "File"}}},
      {"HyperParameters",
       {{"objective", "binary:logistic"},
        {"num_round", "10"},
        {"max_depth", "4"},
        {"eta", eta},
        {"eval_metric", "auc"}}},
      {"InputDataConfig", {channel("train", "s3://b/train/"), channel("validation", "s3://b/validation/")}},
      {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}},
      {"ResourceConfig", {{"InstanceCount", 1}, {"InstanceType", "ml.m5.large"}, {"VolumeSizeInGB", 10}}},
      {"RoleArn", "arn:aws:iam::123456789012:role/MLRole"},
      {"StoppingCondition", {{"MaxRuntimeInSeconds", 3600}}}};
}

// A home with data, and a model "m" behind an endpoint "e".
struct Deployed {
  Deployed() : driver(home.path()) {
    home.write("objects/b/train/data.csv", rows_csv(2000, true, true));
    home.write("objects/b/validation/data.csv", rows_csv(300, true, true));
    trained = driver.run("sagemaker:createTrainingJob.sync", training_request("train").dump());
    uri = parse(trained).value("/ModelArtifacts/S3ModelArtifacts"_json_pointer, "");
    driver.run(
        "sagemaker:createModel",
        Json{{"ModelName", "m"}, {"PrimaryContainer", {{"Image", "xgboost"}, {"ModelDataUrl", uri}}}}.dump());
    driver.run("sagemaker:createEndpointConfig",
               R"({"EndpointConfigName":"c","ProductionVariants":[{"ModelName":"m"}]})");
    created = driver.run("sagemaker:createEndpoint", R"({"EndpointName":"e","EndpointConfigName":"c"})");
  }
  Result<InvokeAnswer> invoke(std::string_view type, std::string_view body, std::string_view accept = "") {
    return invoke_endpoint(driver.runner->endpoints(), "e", type, body, accept);
  }
  TemporaryHome home;
  TaskDriver driver;
  std::string trained, uri, created;
};

}  // namespace

TEST_CASE(
    "Training job: a built-in algorithm behind its registry URI, with the Describe document as the result") {
  Deployed d;
  INFO(d.trained);
  const Json answer = parse(d.trained);
  REQUIRE(answer.is_object());
  CHECK(answer["TrainingJobStatus"] == "Completed");
  CHECK(answer["ModelArtifacts"]["S3ModelArtifacts"] == "s3://b/models/train/output/model.tar.gz");
  double auc = 0;
  for (const Json& metric : answer["FinalMetricDataList"])
    if (metric["MetricName"] == "validation:auc") auc = metric["Value"].get<double>();
  CHECK(auc > 0.9);
  std::string statuses;
  for (const Json& transition : answer["SecondaryStatusTransitions"])
    statuses += transition["Status"].get<std::string>() + " ";
  CHECK(statuses == "Starting Downloading Training Uploading Completed ");
  Json wrong = training_request("wrong", "7");
  CHECK(d.driver.run("sagemaker:createTrainingJob.sync", wrong.dump())
            .find("SageMaker.ValidationException: ") == 0);
  wrong["AlgorithmSpecification"]["TrainingImage"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/gbt:1";
  CHECK(d.driver.run("sagemaker:createTrainingJob.sync", wrong.dump())
            .find("SageMaker.ValidationException: ") == 0);
  CHECK(d.driver.runner->jobs().list("TrainingJob")->size() == 1);
}

TEST_CASE("Endpoint: rows in, scores out, as CSV and JSON; wrong rows are refused in SageMaker's words") {
  Deployed d;
  CHECK(d.created == R"({"EndpointArn":"arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"})");
  const auto csv = d.invoke("text/csv", "90,10\n10,90\n");
  REQUIRE(csv);
  CHECK(csv->content_type == "text/csv");
  CHECK(csv->variant == "AllTraffic");
  const std::size_t line = csv->body.find('\n');
  const double high = std::stod(csv->body.substr(0, line)), low = std::stod(csv->body.substr(line + 1));
  CHECK(high > 0.8);
  CHECK(low < 0.2);
  const auto json = d.invoke("application/json", R"({"instances":[{"b":10,"a":90},{"features":[10,90]}]})");
  REQUIRE(json);
  const Json predictions = parse(json->body)["predictions"];
  REQUIRE(predictions.size() == 2);
  CHECK(predictions[0]["score"].get<double>() == doctest::Approx(high));
  CHECK(predictions[1]["score"].get<double>() == doctest::Approx(low));
  CHECK(d.invoke("text/csv", "90,10", "application/json")->content_type == "application/json");
  const auto wrong = d.invoke("text/csv", "90\n");
  REQUIRE(!wrong);
  CHECK(wrong.error().code == ErrorCode::InvalidArgument);
  CHECK(wrong.error().message.find("Invalid data format. Input data has 1 while the model expects 2") == 0);
  CHECK(wrong.error().message.find("a, b") != std::string::npos);
  CHECK(!d.invoke("image/png", "x"));
  CHECK(!d.invoke("text/csv", "1,2", "image/png"));
  CHECK(invoke_endpoint(d.driver.runner->endpoints(), "nope", "", "1,2", "").error().code ==
        ErrorCode::NotFound);
  const Json task = parse(d.driver.run("aws-sdk:sagemakerruntime:invokeEndpoint",
                                       R"({"EndpointName":"e","ContentType":"text/csv","Body":"90,10"})"));
  CHECK(task["InvokedProductionVariant"] == "AllTraffic");
  CHECK(std::stod(task["Body"].get<std::string>()) == doctest::Approx(high));
  CHECK(d.driver.run("aws-sdk:sagemakerruntime:invokeEndpoint", R"({"EndpointName":"e","Body":[90]})")
            .find("SageMakerRuntime.ValidationErrorException: Invalid data format. Input data has 1") == 0);
}

TEST_CASE(
    "Endpoint: variants get their share, an update moves all traffic, what can't be served is not deployed") {
  Deployed d;
  d.driver.run("sagemaker:createModel",
               Json{{"ModelName", "m2"}, {"PrimaryContainer", {{"ModelDataUrl", d.uri}}}}.dump());
  d.driver.run(
      "sagemaker:createEndpointConfig",
      R"({"EndpointConfigName":"c2","ProductionVariants":[{"VariantName":"blue","ModelName":"m","InitialVariantWeight":3},{"VariantName":"green","ModelName":"m2","InitialVariantWeight":1}]})");
  d.driver.run("sagemaker:updateEndpoint", R"({"EndpointName":"e","EndpointConfigName":"c2"})");
  int green = 0;
  for (int i = 0; i < 400; ++i) green += d.invoke("text/csv", "1,2")->variant == "green";
  CHECK(std::abs(green - 100) <= 4);
  d.driver.run(
      "aws-sdk:sagemaker:updateEndpointWeightsAndCapacities",
      R"({"EndpointName":"e","DesiredWeightsAndCapacities":[{"VariantName":"blue","DesiredWeight":0}]})");
  for (int i = 0; i < 20; ++i) CHECK(d.invoke("text/csv", "1,2")->variant == "green");
  const Json endpoint = parse(d.driver.run("aws-sdk:sagemaker:describeEndpoint", R"({"EndpointName":"e"})"));
  CHECK(endpoint["EndpointStatus"] == "InService");
  CHECK(endpoint["EndpointConfigName"] == "c2");
  CHECK(endpoint["ProductionVariants"][0]["CurrentWeight"] == 0);
  d.driver.run("sagemaker:createModel",
               R"({"ModelName":"hollow","PrimaryContainer":{"ModelDataUrl":"s3://b/nowhere/"}})");
  d.driver.run("sagemaker:createEndpointConfig",
               R"({"EndpointConfigName":"c3","ProductionVariants":[{"ModelName":"hollow"}]})");
  CHECK(d.driver.run("sagemaker:updateEndpoint", R"({"EndpointName":"e","EndpointConfigName":"c3"})")
            .find("SageMaker.ValidationException: Could not find model data at s3://b/nowhere/") == 0);
  CHECK(d.driver.run("sagemaker:createEndpointConfig",
                     R"({"EndpointConfigName":"c4","ProductionVariants":[{"ModelName":"x"}]})") ==
        "SageMaker.ValidationException: Could not find Model \"x\"");
  CHECK(d.driver.run("aws-sdk:sagemaker:deleteModel", R"({"ModelName":"m2"})") == "{}");
  CHECK(d.invoke("text/csv", "1,2")->variant == "green");
  CHECK(d.driver.run("aws-sdk:sagemaker:deleteEndpoint", R"({"EndpointName":"e"})") == "{}");
  CHECK(d.invoke("text/csv", "1,2").error().code == ErrorCode::NotFound);
}

TEST_CASE("Transform job: files with and without a header, joined with their input, whole or not at all") {
  Deployed d;
  d.home.write("objects/b/in/plain.csv", rows_csv(50'000, false, false));
  d.home.write("objects/b/in/deep/named.csv", rows_csv(10, true, true));
  const auto request = [&](const char* name, const Json& more) {
    Json r = {
        {"TransformJobName", name},
        {"ModelName", "m"},
        {"TransformInput",
         {{"ContentType", "text/csv"},
          {"SplitType", "Line"},
          {"DataSource", {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", "s3://b/in/"}}}}}}},
        {"TransformOutput", {{"S3OutputPath", std::string("s3://b/out-") + name}, {"AssembleWith", "Line"}}},
        {"TransformResources", {{"InstanceCount", 1}, {"InstanceType", "ml.m5.large"}}}};
    r.merge_patch(more);
    return r.dump();
  };
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  const std::string run = "sagemaker:createTransformJob.sync";
  const std::string text = d.driver.run(run, request("t1", Json::object()));
  INFO(text);
  const Json answer = parse(text);
  REQUIRE(answer.is_object());
  CHECK(answer["TransformJobStatus"] == "Completed");
  CHECK(answer["TransformJobArn"] == "arn:aws:sagemaker:us-east-1:123456789012:transform-job/t1");
  const std::string plain = d.home.read("objects/b/out-t1/plain.csv.out");
  CHECK(lines(plain) == 50'000);
  CHECK(lines(d.home.read("objects/b/out-t1/deep/named.csv.out")) == 10);
  // The same rows, one by one through the endpoint.
  CHECK(plain.substr(0, plain.find('\n') + 1) == d.invoke("text/csv", "0,0")->body);

  d.driver.run(run, request("t2", {{"DataProcessing", {{"JoinSource", "Input"}}}}));
  const std::string joined = d.home.read("objects/b/out-t2/deep/named.csv.out");
  CHECK(joined.substr(0, joined.find('\n')) == "y,a,b,score");
  CHECK(lines(joined) == 11);
  CHECK(d.home.read("objects/b/out-t2/plain.csv.out").find("0,0," + plain.substr(0, plain.find('\n') + 1)) ==
        0);

  d.driver.run(
      run,
      request("t3", {{"TransformInput",
                      {{"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/in/deep/named.csv"}}}}}}},
                     {"DataProcessing",
                      {{"InputFilter", "$[1:]"}, {"JoinSource", "Input"}, {"OutputFilter", "$[0,-1]"}}}}));
  const std::string filtered = d.home.read("objects/b/out-t3/named.csv.out");
  CHECK(filtered.substr(0, filtered.find('\n')) == "y,score");

  d.home.write("objects/b/bad/x.csv", "1,2\n3\n");
  const std::string failed_text = d.driver.run(
      run,
      request("t4", {{"TransformInput", {{"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/bad/"}}}}}}}}));
  REQUIRE(failed_text.find("States.TaskFailed: ") == 0);
  CHECK(failed_text.find("s3://b/bad/x.csv: in the records from number 1: ") != std::string::npos);
  CHECK(!std::filesystem::exists(d.home.path("objects/b/out-t4/x.csv.out")));
}

TEST_CASE("Transform job: it can be cancelled, and leaves no half output") {
  Deployed d;
  d.home.write("objects/b/big/x.csv", rows_csv(600'000, false, false));
  const auto key = TaskDriver::key(1);
  d.driver.start(
      key, "sagemaker:createTransformJob.sync",
      R"({"TransformJobName":"t","ModelName":"m","TransformInput":{"DataSource":{"S3DataSource":{"S3Uri":"s3://b/big/"}}},"TransformOutput":{"S3OutputPath":"s3://b/out"}})");
  REQUIRE(d.driver.loop->run_until([&] {
    const auto& beats = d.driver.seen[key].heartbeats;
    return d.driver.seen[key].outcome ||
           (!beats.empty() && beats.back().find("\"phase\":\"Transforming\"") != std::string::npos);
  }));
  REQUIRE(!d.driver.seen[key].outcome);
  CHECK(d.driver.seen[key].heartbeats.back().find("\"rowsPerSecond\":") != std::string::npos);
  d.driver.runner->cancel(key);
  const auto status = [&] {
    return d.driver.runner->jobs().find("TransformJob", "t")->value("TransformJobStatus", "");
  };
  for (int i = 0; i < 200 && status() == "InProgress"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(status() == "Stopped");
  CHECK(std::filesystem::is_empty(d.home.path("objects/b/out")));
}
