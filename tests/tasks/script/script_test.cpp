#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tasks/script/metrics.h"
#include "tasks/script/opt_ml.h"
#include "tasks/script/process.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/model_files.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// A training request whose program is `script` (sh), put into the object store.
std::string training(const TemporaryHome& home, const std::string& name, const std::string& script,
                     const Json& more = {}) {
  home.write("objects/b/code-" + name + "/train.sh", script);
  Json request = {{"TrainingJobName", name},
                  {"AlgorithmSpecification", {{"TrainingImage", "script"}}},
                  {"HyperParameters",
                   {{"sagemaker_program", "\"train.sh\""},
                    {"sagemaker_submit_directory", "s3://b/code-" + name + "/"},
                    {"depth", "3"}}},
                  {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}},
                  {"RoleArn", "arn:aws:iam::123456789012:role/MLRole"}};
  if (!more.is_null()) request.merge_patch(more);
  return request.dump();
}

const std::string kTrain = "sagemaker:createTrainingJob.sync";

}  // namespace

TEST_CASE("Script: the contract of /opt/ml, metrics, and the model in the object store") {
  const TemporaryHome home;
  home.write("objects/b/data/train/a.csv", "1,2\n");
  home.write("objects/b/data/train/deep/b.csv", "3,4\n");
  TaskDriver driver(home.path());
  const std::string script = R"(
echo "args: $*"
cat "$SM_CHANNEL_TRAIN/a.csv" "$SM_CHANNEL_TRAIN/deep/b.csv" > "$SM_MODEL_DIR/weights.bin"
mkdir -p "$SM_MODEL_DIR/sub"; echo "$SM_HPS" > "$SM_MODEL_DIR/sub/hps.json"
cat "$SM_INPUT_CONFIG_DIR/inputdataconfig.json" > "$SM_OUTPUT_DATA_DIR/channels.json"
echo "epoch 1 validation-auc=0.5;"; echo "epoch 2 validation-auc=0.75;" 1>&2
[ "$OMP_WAIT_POLICY" = passive ] && [ -z "$SECRET" ] && [ "$GREETING" = "hello" ]
)";
  const Json more = {
      {"AlgorithmSpecification",
       {{"MetricDefinitions", {{{"Name", "validation:auc"}, {"Regex", "validation-auc=([0-9.]+)"}}}}}},
      {"Environment", {{"GREETING", "hello"}}},
      {"InputDataConfig",
       {{{"ChannelName", "train"},
         {"ContentType", "text/csv"},
         {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/data/train/"}}}}}}}}};
  ::setenv("SECRET", "do not pass on", 1);
  const Json answer = parse(driver.run(kTrain, training(home, "one", script, more)));
  REQUIRE(answer.is_object());
  CHECK(answer["TrainingJobStatus"] == "Completed");
  CHECK(answer["SecondaryStatus"] == "Completed");
  CHECK(answer["TrainingJobArn"] == "arn:aws:sagemaker:us-east-1:123456789012:training-job/one");
  CHECK(answer["ModelArtifacts"]["S3ModelArtifacts"] == "s3://b/models/one/output/model.tar.gz");
  REQUIRE(answer["FinalMetricDataList"].size() == 1);
  CHECK(answer["FinalMetricDataList"][0]["MetricName"] == "validation:auc");
  CHECK(answer["FinalMetricDataList"][0]["Value"] == 0.75);
  CHECK(answer["CreationTime"].get<std::int64_t>() > 1'700'000'000'000);
  CHECK(answer["TrainingEndTime"] >= answer["TrainingStartTime"]);
  std::string statuses;
  for (const Json& transition : answer["SecondaryStatusTransitions"]) {
    statuses += transition["Status"].get<std::string>() + " ";
    CHECK(transition["EndTime"] >= transition["StartTime"]);
  }
  CHECK(statuses == "Starting Downloading Training Uploading Completed ");
  CHECK(answer["RoleArn"] == "arn:aws:iam::123456789012:role/MLRole");
  const ObjectStore objects(home.path("objects"));
  const std::string model = "s3://b/models/one/output/model.tar.gz";
  CHECK(model_file(objects, model, "weights.bin") == "1,2\n3,4\n");
  CHECK(model_file(objects, model, "sub/hps.json") == "{\"depth\":\"3\"}\n");
  CHECK(parse(home.read("objects/b/models/one/output/data/channels.json"))["train"]["ContentType"] ==
        "text/csv");
  CHECK(parse(model_file(objects, model, "model_card.json"))["files"].size() == 2);
  CHECK(home.read("logs/TrainingJob/one.log").find("args: --depth 3") != std::string::npos);
  CHECK(!std::filesystem::exists(home.path("scratch/TrainingJob/one")));
  CHECK(parse(driver.run("aws-sdk:sagemaker:describeTrainingJob", R"({"TrainingJobName":"one"})")) == answer);
}

TEST_CASE("Script: its failure file, last words, exit code or signal become the FailureReason") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto reason = [&](const std::string& name, const std::string& script, const Json& more = {}) {
    const std::string text = driver.run(kTrain, training(home, name, script, more));
    const std::string prefix = "States.TaskFailed: ";
    REQUIRE(text.substr(0, prefix.size()) == prefix);
    const Json document = parse(text.substr(prefix.size()));
    CHECK(document["TrainingJobStatus"] == "Failed");
    return document["FailureReason"].get<std::string>();
  };
  CHECK(reason("file", "echo 'no column x' > $SM_OUTPUT_DIR/failure; exit 3") ==
        "AlgorithmError: no column x, exit code: 3");
  CHECK(reason("words", "echo first; echo 'Traceback: boom' >&2; exit 1") ==
        "AlgorithmError: first\nTraceback: boom, exit code: 1");
  CHECK(reason("killed", "echo going; kill -9 $$") ==
        "AlgorithmError: going, killed by signal 9 (Killed): out of memory, or killed from outside");
  CHECK(reason("segv", "kill -11 $$") == "AlgorithmError: killed by signal 11 (Segmentation fault)");
  CHECK(reason("memory", "exec python3 -c 'x = bytearray(2000000000)'",
               {{"ResourceConfig", {{"MemoryLimitInMB", 500}}}})
            .find("MemoryError") != std::string::npos);
  CHECK(reason("missing", "true", {{"HyperParameters", {{"sagemaker_submit_directory", "s3://b/nowhere/"}}}})
            .find("ClientError") == 0);
  CHECK(driver
            .run(kTrain,
                 training(home, "bad", "true", {{"HyperParameters", {{"sagemaker_program", "../x.sh"}}}}))
            .find("SageMaker.ValidationException: sagemaker_program") == 0);
}

TEST_CASE("Script: cancelling is SIGTERM to the whole group, then SIGKILL after the grace") {
  const TemporaryHome home;
  auto driver = std::make_unique<TaskDriver>(home.path());
  const auto key = TaskDriver::key(1);
  driver->start(key, kTrain,
                training(home, "polite",
                         "trap 'echo asked to end; exit 0' TERM; echo up; while :; do sleep 0.05; done"));
  const auto log = [&](const char* job) {
    return home.read(std::string("logs/TrainingJob/") + job + ".log");
  };
  const auto status = [&](const char* job) {
    return driver->runner->jobs().find("TrainingJob", job)->value("TrainingJobStatus", "");
  };
  const auto eventually = [&](const std::function<bool()>& condition) {
    for (int i = 0; i < 600; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(10)))
      if (condition()) return true;
    return false;
  };
  REQUIRE(eventually([&] { return log("polite").find(" up") != std::string::npos; }));
  driver->runner->cancel(key);
  REQUIRE(eventually([&] { return status("polite") == "Stopped"; }));
  CHECK(log("polite").find("asked to end") != std::string::npos);
  CHECK(driver->seen[key].outcome == std::nullopt);
}

TEST_CASE("Script: what ignores SIGTERM is killed with its children; MaxRuntimeInSeconds stops a job") {
  const TemporaryHome home;
  TaskDriver driver(home.path(), 2, Millis(200));
  const std::string stubborn = "trap '' TERM; (trap '' TERM; sleep 61.37) & echo up; wait; sleep 61.37";
  const auto begun = std::chrono::steady_clock::now();
  const std::string text = driver.run(
      kTrain, training(home, "stubborn", stubborn, {{"StoppingCondition", {{"MaxRuntimeInSeconds", 1}}}}));
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
  const Json document = parse(text.substr(std::string("States.TaskFailed: ").size()));
  CHECK(document["TrainingJobStatus"] == "Stopped");
  CHECK(document["SecondaryStatus"] == "MaxRuntimeExceeded");
  ProcessSpec list;
  list.arguments = {"/bin/sh", "-c",
                    "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 61[.]37'"};
  list.environment = {"PATH=/usr/bin:/bin"};
  const auto end = run_process(list, {});
  REQUIRE(end);
  CHECK(end->exit_code == 1);  // none found
}

TEST_CASE("Script: stopTrainingJob stops a job from outside") {
  const TemporaryHome home;
  TaskDriver driver(home.path(), 2, Millis(200));
  const auto key = TaskDriver::key(1);
  driver.start(key, kTrain,
               training(home, "long", "while :; do echo validation-auc=0.5; sleep 0.05; done",
                        {{"AlgorithmSpecification",
                          {{"MetricDefinitions", {{{"Name", "auc"}, {"Regex", "auc=([0-9.]+)"}}}}}}}));
  REQUIRE(driver.loop->run_until([&] { return driver.seen[key].heartbeats.size() > 6; }));
  CHECK(driver.seen[key].submitted ==
        std::vector<std::string>{
            R"({"TrainingJobArn":"arn:aws:sagemaker:us-east-1:123456789012:training-job/long"})"});
  CHECK(driver.seen[key].heartbeats.back() == R"({"phase":"Training","metric":"auc","value":0.5})");
  CHECK(driver.run("aws-sdk:sagemaker:stopTrainingJob", R"({"TrainingJobName":"long"})") == "{}");
  REQUIRE(driver.wait(key));
  CHECK(driver.seen[key].outcome->error().error == "States.TaskFailed");
  CHECK(parse(driver.seen[key].outcome->error().cause)["TrainingJobStatus"] == "Stopped");
}

TEST_CASE("Script: processing reads and writes below /opt/ml/processing") {
  const TemporaryHome home;
  home.write("objects/b/raw/x.csv", "b\na\n");
  home.write("objects/b/code/sort.sh",
             "sort $1 > $2; echo sorted > \"$(dirname $2)/../../output/message\" 2>/dev/null || true");
  TaskDriver driver(home.path());
  const Json request = {
      {"ProcessingJobName", "sort"},
      {"AppSpecification",
       {{"ImageUri", "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:0.20.0-cpu-py3"},
        {"ContainerEntrypoint", {"sh", "/opt/ml/processing/input/code/sort.sh"}},
        {"ContainerArguments", {"/opt/ml/processing/input/x.csv", "/opt/ml/processing/train/sorted.csv"}}}},
      {"ProcessingResources",
       {{"ClusterConfig", {{"InstanceCount", 1}, {"InstanceType", "ml.m5.large"}, {"VolumeSizeInGB", 10}}}}},
      {"ProcessingInputs",
       {{{"InputName", "raw"},
         {"S3Input", {{"S3Uri", "s3://b/raw/"}, {"LocalPath", "/opt/ml/processing/input"}}}},
        {{"InputName", "code"},
         {"S3Input", {{"S3Uri", "s3://b/code/sort.sh"}, {"LocalPath", "/opt/ml/processing/input/code"}}}}}},
      {"ProcessingOutputConfig",
       {{"Outputs",
         {{{"OutputName", "train"},
           {"S3Output", {{"S3Uri", "s3://b/out/"}, {"LocalPath", "/opt/ml/processing/train"}}}}}}}}};
  const Json answer = parse(driver.run("sagemaker:createProcessingJob.sync", request.dump()));
  REQUIRE(answer.is_object());
  CHECK(answer["ProcessingJobStatus"] == "Completed");
  CHECK(answer.contains("ProcessingEndTime"));
  CHECK(home.read("objects/b/out/sorted.csv") == "a\nb\n");
}

TEST_CASE("Script: metric expressions take time in proportion to the line, whatever the pattern") {
  auto metrics = OutputMetrics::compile(
      {{{"Name", "m"}, {"Regex", "((a+)+)b"}}, {{"Name", "loss"}, {"Regex", "loss: ([-+0-9.e]+)"}}});
  REQUIRE(metrics);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(metrics->search(std::string(100'000, 'a')).empty());
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
  const auto found = metrics->search("step 3 loss: -1.5e-2 done");
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "loss");
  CHECK(found[0].value == -0.015);
  CHECK(OutputMetrics::compile({{{"Name", "m"}, {"Regex", "(unclosed"}}})
            .error()
            .message.find("MetricDefinitions[0].Regex") == 0);
}

TEST_CASE("Script: paths below /opt/ml are told as they are, others are refused") {
  const TemporaryHome home;
  auto opt_ml = OptMl::make(home.path("x"));
  REQUIRE(opt_ml);
  CHECK(!opt_ml->real("/opt/ml/../../etc/passwd"));
  CHECK(!opt_ml->real("/etc"));
  CHECK(opt_ml->real("/opt/ml/model")->string() == home.path("x/model"));
  if (!opt_ml->mounted()) {
    CHECK(opt_ml->seen("--model=/opt/ml/model") == "--model=" + home.path("x/model"));
    CHECK(opt_ml->seen("/opt/mlx s/opt/ml") == "/opt/mlx s/opt/ml");
  }
}
