#include "tasks/deployment/score.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/deployment/data_capture.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/training/estimator.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// A model of three features behind the endpoint "e".
struct ThreeFeatures {
  ThreeFeatures() : driver(home.path()) {
    std::string csv;
    Random random(5);
    for (int i = 0; i < 400; ++i) {
      const double a = random.uniform(-10, 10), b = random.uniform(-10, 10), c = random.uniform();
      csv += std::to_string(a > b ? 1 : 0) + "," + std::to_string(a) + "," + std::to_string(b) + "," +
             std::to_string(c) + "\n";
    }
    home.write("objects/b/train.csv", csv);
    const std::string job = driver.run(
        "sagemaker:createTrainingJob.sync",
        R"({"TrainingJobName":"t","AlgorithmSpecification":{"TrainingImage":"xgboost"},"HyperParameters":{"objective":"binary:logistic","num_round":"8"},"InputDataConfig":[{"ChannelName":"train","ContentType":"text/csv","DataSource":{"S3DataSource":{"S3Uri":"s3://b/train.csv"}}}],"OutputDataConfig":{"S3OutputPath":"s3://b/m"}})");
    uri = parse(job).value("/ModelArtifacts/S3ModelArtifacts"_json_pointer, "");
    driver.run("sagemaker:createModel",
               Json{{"ModelName", "m"}, {"PrimaryContainer", {{"ModelDataUrl", uri}}}}.dump());
    driver.run("sagemaker:createEndpointConfig",
               R"({"EndpointConfigName":"c","ProductionVariants":[{"VariantName":"v","ModelName":"m"}]})");
    made = driver.run("sagemaker:createEndpoint", R"({"EndpointName":"e","EndpointConfigName":"c"})");
  }
  TemporaryHome home;
  TaskDriver driver;
  std::string uri, made;
};

}  // namespace

TEST_CASE("Scores: rows that are plain numbers, read directly, score as the same rows read as a table") {
  ThreeFeatures d;
  INFO(d.made);
  const auto chain = load_chain(d.driver.runner->objects(), {d.uri});
  REQUIRE(chain);
  REQUIRE(chain->takes_features());
  Random random(9);
  for (int round = 0; round < 200; ++round) {
    std::string plain, quoted, json = "[", libsvm;
    const std::uint64_t rows = 1 + random.below(4);
    for (std::uint64_t i = 0; i < rows; ++i) {
      std::string cells[3];
      for (std::string& cell : cells) {
        cell = std::to_string(random.uniform(-12, 12));
        if (random.below(4) == 0) cell = std::to_string(static_cast<int>(random.below(20)) - 10);
      }
      plain += cells[0] + "," + cells[1] + "," + cells[2] + "\n";
      quoted += "\"" + cells[0] + "\"," + cells[1] + "," + cells[2] + "\r\n";
      json += (i > 0 ? ",[" : "[") + cells[0] + "," + cells[1] + "," + cells[2] + "]";
      libsvm += "1 0:" + cells[0] + " 1:" + cells[1] + " 2:" + cells[2] + "\n";
    }
    const auto direct = score_rows(*chain, "text/csv", plain, "text/csv");
    REQUIRE(direct);
    CHECK(static_cast<std::uint64_t>(std::count(direct->body.begin(), direct->body.end(), '\n')) == rows);
    CHECK(score_rows(*chain, "Text/CSV; charset=utf-8", quoted, "")->body == direct->body);
    CHECK(score_rows(*chain, "application/json", json + "]", "text/csv")->body == direct->body);
    CHECK(score_rows(*chain, "application/json", "{\"instances\":" + json + "]}", "text/csv")->body ==
          direct->body);
    CHECK(score_rows(*chain, "text/libsvm", libsvm, "")->body == direct->body);
  }
}

TEST_CASE("Scores: what is missing in a row is missing however it is said") {
  ThreeFeatures d;
  const auto chain = load_chain(d.driver.runner->objects(), {d.uri});
  REQUIRE(chain);
  const auto empty = score_rows(*chain, "text/csv", "1,,3", "");
  REQUIRE(empty);
  CHECK(score_rows(*chain, "application/json", "[[1,null,3]]", "text/csv")->body == empty->body);
  // Of LIBSVM what is not there is missing, as in training, and indices may count from 1.
  CHECK(score_rows(*chain, "text/csv", "1,0,3", "")->body != empty->body);
  CHECK(score_rows(*chain, "text/libsvm", "0:1 2:3", "text/csv")->body == empty->body);
  CHECK(score_rows(*chain, "text/libsvm", "1 1:1 3:3 # dense enough", "text/csv")->body == empty->body);
  // Of RecordIO a sparse row is 0 elsewhere: features [1, _, 3] of 3.
  const char record[] =
      "\x0a\x23\xd7\xce\x21\x00\x00\x00\x0a\x1f\x0a\x06values\x12\x15\x12\x13\x0a\x08\x00\x00\x80\x3f\x00\x00"
      "\x40\x40"
      "\x12\x02\x00\x02\x1a\x01\x03\x00\x00\x00";
  const auto sparse =
      score_rows(*chain, "application/x-recordio-protobuf", {record, sizeof record - 1}, "text/csv");
  REQUIRE_MESSAGE(sparse, (sparse ? "" : sparse.error().message));
  CHECK(sparse->body == score_rows(*chain, "text/csv", "1,0,3", "")->body);
  CHECK(score_rows(*chain, "text/libsvm", "1:1 2:2", "").error().message.find("from 0 or from 1") !=
        std::string::npos);
  CHECK(score_rows(*chain, "text/csv", "1,2", "")
            .error()
            .message.find("has 2 while the model expects 3: f0, f1, f2") != std::string::npos);
  CHECK(score_rows(*chain, "text/libsvm", "0:1 3:3", "").error().message.find("expects 3 features") !=
        std::string::npos);
  CHECK(!score_rows(*chain, "text/libsvm", "0:1 x", ""));
  CHECK(!score_rows(*chain, "text/libsvm", " \n", ""));
  CHECK(!can_read(*chain, "image/png"));
  CHECK(can_read(*chain, "text/csv;x"));
}

TEST_CASE("Endpoint host: quick once it is known, anew after a change; a variant's share is exact") {
  ThreeFeatures d;
  EndpointHost& host = d.driver.runner->endpoints();
  const InvokeRequest request{"e", "text/csv", "", "1,2,3"};
  CHECK(!host.quick(request));
  REQUIRE(host.invoke(request));
  CHECK(host.quick(request));
  const std::string big(100'000'000, '1');
  CHECK(!host.quick({"e", "text/csv", "", big}));
  d.driver.run(
      "sagemaker:createEndpointConfig",
      R"({"EndpointConfigName":"d","ProductionVariants":[{"VariantName":"v","ModelName":"m","InitialVariantWeight":1},{"VariantName":"w","ModelName":"m","InitialVariantWeight":4}]})");
  d.driver.run("sagemaker:updateEndpoint", R"({"EndpointName":"e","EndpointConfigName":"d"})");
  CHECK(!host.quick(request));
  int w = 0;
  for (int i = 0; i < 500; ++i) w += host.invoke(request)->variant == "w";
  CHECK(w >= 398);
  CHECK(w <= 402);
  CHECK(host.invoke({"e", "text/csv", "", "1,2,3", "x"}).error().kind == InvokeFailure::Kind::NoVariant);
  CHECK(host.invoke({"none", "text/csv", "", "1,2,3"}).error().kind == InvokeFailure::Kind::NoEndpoint);
  const auto wrong = host.invoke({"e", "image/png", "", "1,2,3"});
  REQUIRE(!wrong);
  CHECK(wrong.error().status == 415);
}

TEST_CASE("Data capture: what is wrong with a configuration is said with its place") {
  const auto error = [](const char* text) {
    const auto read = CaptureConfig::read(parse(text));
    return read ? std::string() : read.error().message;
  };
  CHECK(error("null").empty());
  CHECK(error(R"({"EnableCapture":true})").find("DataCaptureConfig.DestinationS3Uri") != std::string::npos);
  CHECK(error(R"({"DestinationS3Uri":"s3://b/x","CaptureOptions":[{"CaptureMode":"Both"}]})")
            .find("CaptureMode") != std::string::npos);
  const auto good = CaptureConfig::read(parse(
      R"({"EnableCapture":true,"InitialSamplingPercentage":20,"DestinationS3Uri":"s3://b/x","CaptureOptions":[{"CaptureMode":"InputAndOutput"}]})"));
  REQUIRE(good);
  CHECK((good->enabled && good->input && good->output));
  CHECK(good->percentage == 20);
}
