// Requests as definitions in use write them: the shapes must be accepted.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tasks/catalog.h"
#include "tests/support/paths.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct TaskState {
  std::string resource;
  Json arguments;
};

// The Task states of a definition, those of branches and item processors too.
void collect(const Json& definition, std::vector<TaskState>& out) {
  const Json states = definition.value("States", Json::object());
  for (const auto& [name, state] : states.items()) {
    if (state.value("Type", "") == "Task")
      out.push_back({state.at("Resource"), state.contains("Parameters")
                                               ? state["Parameters"]
                                               : state.value("Arguments", Json::object())});
    for (const Json& branch : state.value("Branches", Json::array())) collect(branch, out);
    for (const char* key : {"Iterator", "ItemProcessor"})
      if (state.contains(key)) collect(state[key], out);
  }
}

bool literal(const Json& arguments) {
  const std::string text = arguments.dump();
  return text.find(".$\":") == std::string::npos && text.find("{%") == std::string::npos;
}

// What a job of the cloud's own says: a request of the SDK's script mode, with all that the cloud wants.
const char* kScriptMode = R"({
  "AlgorithmSpecification": {"TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-tensorflow:1.13-gpu-py2", "TrainingInputMode": "File"},
  "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3DataDistributionType": "FullyReplicated", "S3DataType": "S3Prefix", "S3Uri": "s3://sagemaker/train"}}, "ChannelName": "train"}],
  "OutputDataConfig": {"S3OutputPath": "s3://sagemaker/models"},
  "DebugHookConfig": {"S3OutputPath": "s3://sagemaker/models/debug"},
  "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
  "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.p2.xlarge", "VolumeSizeInGB": 30},
  "VpcConfig": {"Subnets": ["a"], "SecurityGroupIds": ["b"]},
  "RoleArn": "execution-role",
  "HyperParameters": {"evaluation_steps": "100", "sagemaker_program": "\"tf_train.py\"", "sagemaker_submit_directory": "\"s3://sagemaker/source\"", "sagemaker_region": "\"us-east-1\""},
  "TrainingJobName": "tensorflow-job",
  "Tags": [{"Key": "Purpose", "Value": "unittests"}]})";

}  // namespace

TEST_CASE("Definitions: fields that only mean something in the cloud are accepted, and told again") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const std::string text = driver.run("sagemaker:createTrainingJob.sync", kScriptMode);
  const std::string prefix = "States.TaskFailed: ";  // accepted as a request; its data is not there
  REQUIRE(text.find(prefix) == 0);
  const Json document = Json::parse(text.substr(prefix.size()), nullptr, false);
  CHECK(document["FailureReason"].get<std::string>().find("ClientError: ") == 0);
  CHECK(document["VpcConfig"]["Subnets"][0] == "a");
  CHECK(document["ResourceConfig"]["InstanceType"] == "ml.p2.xlarge");
}

TEST_CASE("Definitions: a request can't write the members of its answer, whatever their types") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  Json request = Json::parse(kScriptMode);
  request.update({{"TrainingJobStatus", 7},
                  {"TrainingStartTime", "x"},
                  {"SecondaryStatusTransitions", {{"a", 1}}},
                  {"FailureReason", 1},
                  {"TrainingJobArn", "y"},
                  {"Millrace", "z"},
                  {"CreationTime", "never"}});
  const std::string text = driver.run("sagemaker:createTrainingJob.sync", request.dump());
  REQUIRE(text.find("States.TaskFailed: ") == 0);
  CHECK(text.find("\"TrainingJobStatus\":\"Failed\"") != std::string::npos);
  driver.run(
      "sagemaker:createModel",
      R"({"ModelName":"m","ModelStatus":5,"ModelArn":6,"PrimaryContainer":{"ModelDataUrl":"s3://b/k"}})");
  CHECK(driver.run("aws-sdk:sagemaker:listModels", R"({"StatusEquals":"InService"})") == R"({"Models":[]})");
}

TEST_CASE("Definitions: the training requests of a collection of real ones are accepted as they stand") {
  const std::filesystem::path directory = source_path("/../shared/conformance/ml-definitions");
  if (!std::filesystem::exists(directory)) {
    MESSAGE("skipped: " << directory.string() << " is not there");
    return;
  }
  const TemporaryHome home;
  TaskDriver driver(home.path());
  int served = 0, accepted = 0, tasks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().string().find(".asl.json") == std::string::npos) continue;
    std::ifstream in(entry.path());
    std::vector<TaskState> states;
    collect(Json::parse(in, nullptr, false), states);
    for (const TaskState& state : states) {
      if (state.resource.find(":sagemaker:") == std::string::npos) continue;
      ++tasks;
      const auto found = find_task(state.resource);
      if (!found) continue;
      ++served;
      if (found->kind->operation != "createTrainingJob" || !literal(state.arguments)) continue;
      Json request = state.arguments;
      request["TrainingJobName"] = "job-" + std::to_string(served);
      request.erase("ExperimentConfig");  // one has an underscore in its name, which SageMaker refuses, too
      const std::string image = request.value("/AlgorithmSpecification/TrainingImage"_json_pointer, "");
      const std::string text = driver.run("sagemaker:createTrainingJob.sync", request.dump());
      INFO(entry.path().filename().string() << ": " << text);
      // Those of pca name no channel train; every other request must get as far as its
      // data, which is not there.
      const bool no_train = image.find("/pca:") != std::string::npos;
      CHECK(text.find(no_train ? "SageMaker.ValidationException: InputDataConfig: a channel named train"
                               : "States.TaskFailed: ") == 0);
      accepted += !no_train;
    }
  }
  CHECK(accepted >= 3);
  CHECK(served >= 60);
  MESSAGE(served << " of " << tasks << " SageMaker tasks have a task kind");
}
