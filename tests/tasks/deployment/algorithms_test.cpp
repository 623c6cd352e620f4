// The classic algorithms from a training job to an answer: channels with and without labels, metrics of the
// channel test, SageMaker's answer of each.

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

// Two clouds of a grid around (0, 0) and (20, 20); `label` 0 and 1 in front, else none.
std::string two_clouds(int rows, bool label, bool header = false) {
  std::string csv = header ? (label ? "kind,a,b\n" : "a,b\n") : "";
  for (int i = 0; i < rows; ++i) {
    const int cloud = i % 2, a = 20 * cloud + i % 5, b = 20 * cloud + i % 3;
    csv += (label ? std::to_string(cloud) + "," : std::string()) + std::to_string(a) + "," +
           std::to_string(b) + "\n";
  }
  return csv;
}

Json channel(const char* name, const char* type) {
  return {{"ChannelName", name},
          {"ContentType", type},
          {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/" + std::string(name) + "/"}}}}}};
}

// A home whose training job "t" is of one algorithm, with its model behind the endpoint "e".
struct Algorithm {
  Algorithm() : driver(home.path()) {}

  Json train(const char* image, const Json& parameters, const char* train_type, const char* test_type) {
    Json request{{"TrainingJobName", "t"},
                 {"AlgorithmSpecification", {{"TrainingImage", image}}},
                 {"HyperParameters", parameters},
                 {"InputDataConfig", {channel("train", train_type)}},
                 {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}}};
    if (test_type != nullptr) request["InputDataConfig"].push_back(channel("test", test_type));
    const std::string text = driver.run("sagemaker:createTrainingJob.sync", request.dump());
    INFO(text);
    const Json answer = Json::parse(text, nullptr, false);
    REQUIRE(answer.is_object());
    const std::string uri = answer["ModelArtifacts"]["S3ModelArtifacts"];
    driver.run("sagemaker:createModel",
               Json{{"ModelName", "m"}, {"PrimaryContainer", {{"ModelDataUrl", uri}}}}.dump());
    driver.run("sagemaker:createEndpointConfig",
               R"({"EndpointConfigName":"c","ProductionVariants":[{"ModelName":"m"}]})");
    driver.run("sagemaker:createEndpoint", R"({"EndpointName":"e","EndpointConfigName":"c"})");
    return answer;
  }
  std::string invoke(std::string_view body, const char* accept) {
    const auto answer = invoke_endpoint(driver.runner->endpoints(), "e", "text/csv", body, accept);
    return answer ? answer->body : answer.error().message;
  }

  TemporaryHome home;
  TaskDriver driver;
};

double metric_of(const Json& job, const char* name) {
  for (const Json& metric : job["FinalMetricDataList"])
    if (metric["MetricName"] == name) return metric["Value"].get<double>();
  return std::nan("");
}

}  // namespace

TEST_CASE("kmeans: unlabelled channels, msd of test, closest cluster and distance; batch as well") {
  Algorithm d;
  d.home.write("objects/b/train/data.csv", two_clouds(30, false));
  d.home.write("objects/b/test/data.csv", "2,1\n22,21\n");
  const Json job =
      d.train("174872318107.dkr.ecr.us-west-2.amazonaws.com/kmeans:1", {{"k", "2"}, {"feature_dim", "2"}},
              "text/csv;label_size=0", "text/csv;label_size=0");
  CHECK(metric_of(job, "test:msd") == doctest::Approx(0));
  CHECK(metric_of(job, "train:ssd") == doctest::Approx(30 * (2 + 2.0 / 3)));
  const Json answer = parse(d.invoke("2,1\n22,24\n", "application/json"));
  REQUIRE(answer["predictions"].size() == 2);
  CHECK(answer["predictions"][1]["distance_to_cluster"].get<double>() == doctest::Approx(3));
  CHECK(answer["predictions"][0]["closest_cluster"] != answer["predictions"][1]["closest_cluster"]);
  CHECK(parse(d.invoke("2,1", "application/jsonlines"))["distance_to_cluster"] == 0);
  CHECK(d.invoke("2,1", "text/csv").ends_with(",0\n"));
  CHECK(d.invoke("2,", "text/csv").starts_with("row 1, feature 1: the value is missing or infinite"));

  d.home.write("objects/b/rows/data.csv", "f0,f1\n2,1\n");
  const Json request{
      {"TransformJobName", "x"},
      {"ModelName", "m"},
      {"TransformInput",
       {{"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/rows/"}}}}}, {"ContentType", "text/csv"}}},
      {"TransformOutput", {{"S3OutputPath", "s3://b/out/"}, {"Accept", "text/csv"}}},
      {"DataProcessing", {{"JoinSource", "Input"}}}};
  d.driver.run("sagemaker:createTransformJob.sync", request.dump());
  const std::string batch = *d.driver.runner->objects().read("s3://b/out/data.csv.out");
  CHECK(batch.starts_with("f0,f1,closest_cluster,distance_to_cluster\n2,1,"));

  const std::string refused = d.driver.run(
      "sagemaker:createProcessingJob.sync",
      Json{{"ProcessingJobName", "p"},
           {"AppSpecification", {{"ImageUri", "evaluate"}}},
           {"ProcessingInputs",
            {{{"InputName", "test"}, {"S3Input", {{"S3Uri", "s3://b/rows/"}}}},
             {{"InputName", "model"}, {"S3Input", {{"S3Uri", "s3://b/models/t/output/model.tar.gz"}}}}}},
           {"ProcessingOutputConfig",
            {{"Outputs", {{{"OutputName", "o"}, {"S3Output", {{"S3Uri", "s3://b/e/"}}}}}}}}}
          .dump());
  CHECK(refused.find("is a model of kmeans, which predicts no target that it could be judged by") !=
        std::string::npos);
}

TEST_CASE("kmeans: a header's labels are no feature when they are named or stand first") {
  for (const char* type : {"text/csv;label_size=1", "text/csv"}) {
    Algorithm d;
    d.home.write("objects/b/train/data.csv", two_clouds(30, true, true));
    Json parameters{{"k", "2"}, {"feature_dim", "2"}};
    if (std::string_view(type) == "text/csv") parameters["target"] = "kind";
    CHECK(metric_of(d.train("kmeans", parameters, type, nullptr), "train:ssd") == doctest::Approx(80));
  }
}

TEST_CASE("kmeans: of rows that prepare wrote the target is no feature, and raw rows are answered") {
  Algorithm d;
  d.home.write("objects/b/raw/data.csv", two_clouds(30, true, true));
  const std::string prepared = d.driver.run(
      "sagemaker:createProcessingJob.sync",
      Json{{"ProcessingJobName", "p"},
           {"AppSpecification", {{"ImageUri", "prepare"}}},
           {"Environment", {{"SETTINGS", R"({"target": "kind", "steps": [{"step": "scale"}]})"}}},
           {"ProcessingInputs", {{{"InputName", "train"}, {"S3Input", {{"S3Uri", "s3://b/raw/"}}}}}},
           {"ProcessingOutputConfig",
            {{"Outputs", {{{"OutputName", "o"}, {"S3Output", {{"S3Uri", "s3://b/"}}}}}}}}}
          .dump());
  INFO(prepared);
  const Json job = d.train("kmeans", {{"k", "2"}, {"feature_dim", "2"}}, "text/csv", nullptr);
  CHECK(metric_of(job, "train:msd") < 0.1);
  const Json answer = parse(d.invoke("2,1\n22,21\n", "application/json"));
  REQUIRE(answer["predictions"].size() == 2);
  CHECK(answer["predictions"][1]["distance_to_cluster"].get<double>() == doctest::Approx(0).epsilon(1e-4));
  CHECK(answer["predictions"][0]["closest_cluster"] != answer["predictions"][1]["closest_cluster"]);
}

TEST_CASE("pca, knn, randomcutforest, factorization-machines, mlp: metrics of test and SageMaker's answers") {
  struct Row {
    const char* image;
    Json parameters;
    bool labels;
    const char* metric;
    double least;
    const char* answer;  // of a row of the second cloud, numbers as #
  };
  const Row rows[] = {
      {"pca",
       {{"num_components", "1"}},
       false,
       "test:explained_variance_ratio",
       0.9,
       R"({"projections":[{"projection":[#]}]})"},
      {"knn",
       {{"k", "3"}, {"predictor_type", "classifier"}, {"sample_size", "100"}},
       true,
       "test:accuracy",
       1,
       R"({"predictions":[{"predicted_label":1}]})"},
      {"randomcutforest", {{"num_trees", "50"}}, false, "test:accuracy", 0.4, R"({"scores":[{"score":#}]})"},
      {"factorization-machines",
       {{"num_factors", "2"},
        {"predictor_type", "binary_classifier"},
        {"epochs", "300"},
        {"linear_lr", "0.01"}},
       true,
       "test:binary_classification_accuracy",
       1,
       R"({"predictions":[{"score":#,"predicted_label":1}]})"},
      {"mlp",
       {{"predictor_type", "binary_classifier"},
        {"hidden_layers", "4"},
        {"epochs", "60"},
        {"learning_rate", "0.05"}},
       true,
       "test:binary_classification_accuracy",
       1,
       R"({"predictions":[{"score":#}]})"},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.image));
    Algorithm d;
    const bool labelled_test = row.labels || std::string_view(row.image) == "randomcutforest";
    d.home.write("objects/b/train/data.csv", two_clouds(60, row.labels));
    d.home.write("objects/b/test/data.csv", two_clouds(30, labelled_test));
    const Json job = d.train(row.image, row.parameters, row.labels ? "text/csv" : "text/csv;label_size=0",
                             labelled_test ? "text/csv;label_size=1" : "text/csv;label_size=0");
    CHECK(metric_of(job, row.metric) >= row.least);
    std::string answer = d.invoke("22,21", "application/json");
    std::string shape;
    const std::string expected = row.answer;
    for (std::size_t i = 0, at = 0; i < answer.size(); ++at) {
      if (at < expected.size() && expected[at] == '#') {
        while (i < answer.size() &&
               std::string_view("0123456789.-+e").find(answer[i]) != std::string_view::npos)
          ++i;
        shape += '#';
      } else {
        shape += answer[i++];
      }
    }
    CHECK(shape == expected);
  }
}

TEST_CASE("Training job: channels and labels that an algorithm does not take are refused by name") {
  Algorithm d;
  const auto refusal = [&](const char* image, const Json& parameters, const Json& channels) {
    return d.driver.run("sagemaker:createTrainingJob.sync",
                        Json{{"TrainingJobName", "t"},
                             {"AlgorithmSpecification", {{"TrainingImage", image}}},
                             {"HyperParameters", parameters},
                             {"InputDataConfig", channels},
                             {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}}}
                            .dump());
  };
  const Json k{{"k", "2"}};
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(
      has(refusal("kmeans", k, {channel("train", "text/csv"), channel("validation", "text/csv")}),
          "InputDataConfig[1].ChannelName: 'validation' is not a channel of kmeans: expected train or test"));
  CHECK(has(refusal("linear-learner", {{"predictor_type", "regressor"}},
                    Json::array({channel("train", "text/csv;label_size=0")})),
            "'text/csv;label_size=0': expected label_size=1"));
  CHECK(has(refusal("kmeans", k, Json::array({channel("train", "text/csv;label_size=2")})),
            "expected label_size=1 or label_size=0"));
  CHECK(
      has(refusal("knn", {{"k", "2"}, {"predictor_type", "regressor"}, {"sample_size", "9"}, {"weight", "w"}},
                  Json::array({channel("train", "text/csv")})),
          "HyperParameters.weight: knn takes no weights"));
}
