#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tasks/jobs/job_context.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// A training request whose program is `script` (sh); it finds the home directory in $HOME_DIRECTORY.
std::string training(const TemporaryHome& home, const std::string& name, const std::string& script) {
  home.write("objects/b/code-" + name + "/train.sh", script);
  return Json{
      {"TrainingJobName", name},
      {"AlgorithmSpecification", {{"TrainingImage", "script"}}},
      {"HyperParameters",
       {{"sagemaker_program", "train.sh"}, {"sagemaker_submit_directory", "s3://b/code-" + name + "/"}}},
      {"Environment", {{"HOME_DIRECTORY", home.path()}}},
      {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}}}
      .dump();
}
const std::string kTrain = "sagemaker:createTrainingJob.sync";
const std::string kCount = "echo x >> $HOME_DIRECTORY/runs; ";
// Ends when the file `go` is there.
const std::string kWait = "while [ ! -f $HOME_DIRECTORY/go ]; do sleep 0.02; done";

std::size_t runs(const TemporaryHome& home) {
  return home.read("runs").size() / 2;
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(10)))
    if (condition()) return true;
  return false;
}

Json record(TaskDriver& driver, const char* name) {
  const auto found = driver.runner->jobs().find("TrainingJob", name);
  return found ? *found : Json();
}

}  // namespace

TEST_CASE(
    "Job: an equal request under a finished job's name is answered from the record, a different one is "
    "refused") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const std::string request = training(home, "a", kCount);
  const std::string first = driver.run(kTrain, request);
  CHECK(parse(first)["TrainingJobStatus"] == "Completed");
  CHECK(driver.run(kTrain, request) == first);
  CHECK(runs(home) == 1);
  Json other = parse(request);
  other["HyperParameters"]["depth"] = "4";
  CHECK(driver.run(kTrain, other.dump()) ==
        "SageMaker.ResourceInUseException: TrainingJob \"a\" already exists (it was made by a different "
        "request; choose "
        "another name)");
}

TEST_CASE("Job: starting a key that already runs re-attaches; one record, one run, one outcome") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto key = TaskDriver::key(1);
  const std::string request = training(home, "a", kCount + kWait);
  driver.start(key, kTrain, request);
  REQUIRE(driver.loop->run_until([&] { return !driver.seen[key].submitted.empty(); }));
  driver.start(key, kTrain, request);
  REQUIRE(driver.loop->run_until([&] { return driver.seen[key].submitted.size() == 2; }));
  home.write("go", "");
  REQUIRE(driver.wait(key));
  CHECK(driver.seen[key].outcome->has_value());
  CHECK(runs(home) == 1);
}

TEST_CASE("Job: two tasks with one name and an equal request share one run") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const std::string request = training(home, "a", kCount + kWait);
  driver.start(TaskDriver::key(1), kTrain, request);
  driver.start(TaskDriver::key(2), kTrain, request);
  REQUIRE(eventually([&] { return runs(home) == 1; }));
  home.write("go", "");
  REQUIRE(driver.wait(TaskDriver::key(1)));
  REQUIRE(driver.wait(TaskDriver::key(2)));
  CHECK(TaskDriver::text(*driver.seen[TaskDriver::key(1)].outcome) ==
        TaskDriver::text(*driver.seen[TaskDriver::key(2)].outcome));
  CHECK(runs(home) == 1);
}

TEST_CASE(
    "Job: a runner that goes down leaves the job InProgress, and the next one runs it under the same "
    "record") {
  const TemporaryHome home;
  const auto key = TaskDriver::key(1);
  const std::string request = training(home, "a", kCount + kWait);
  std::int64_t created = 0;
  {
    TaskDriver driver(home.path());
    driver.start(key, kTrain, request);
    REQUIRE(eventually([&] { return runs(home) == 1; }));
    created = record(driver, "a")["CreationTime"].get<std::int64_t>();
    const auto begun = std::chrono::steady_clock::now();
    driver.runner.reset();
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
    CHECK(driver.seen[key].outcome == std::nullopt);
  }
  home.write("go", "");
  TaskDriver driver(home.path());
  CHECK(record(driver, "a")["TrainingJobStatus"] == "InProgress");
  driver.start(key, kTrain, request);
  REQUIRE(driver.wait(key));
  CHECK(parse(TaskDriver::text(*driver.seen[key].outcome))["TrainingJobStatus"] == "Completed");
  CHECK(record(driver, "a")["CreationTime"] == created);
  CHECK(driver.runner->jobs().list("TrainingJob")->size() == 1);
  CHECK(runs(home) == 2);
}

TEST_CASE(
    "Job: without .sync the ARN comes at once, and the job goes on after a restart without being asked for") {
  const TemporaryHome home;
  {
    TaskDriver driver(home.path());
    CHECK(driver.run("sagemaker:createTrainingJob", training(home, "a", kCount + kWait)) ==
          R"({"TrainingJobArn":"arn:aws:sagemaker:us-east-1:123456789012:training-job/a"})");
    CHECK(parse(driver.run("aws-sdk:sagemaker:describeTrainingJob",
                           R"({"TrainingJobName":"a"})"))["TrainingJobStatus"] == "InProgress");
    REQUIRE(eventually([&] { return runs(home) == 1; }));
  }
  home.write("go", "");
  TaskDriver driver(home.path());
  CHECK(eventually([&] { return record(driver, "a")["TrainingJobStatus"] == "Completed"; }));
  CHECK(runs(home) == 2);
}

TEST_CASE("Job: a failed job is tried again by the next attempt, not by a second dispatch of the same one") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const std::string request = training(home, "a", kCount + "[ -f $HOME_DIRECTORY/go ]");
  for (int dispatch = 0; dispatch < 2; ++dispatch) {
    driver.seen.clear();
    driver.start(TaskDriver::key(1, 0), kTrain, request);
    REQUIRE(driver.wait(TaskDriver::key(1, 0)));
    CHECK(driver.seen[TaskDriver::key(1, 0)].outcome->error().error == "States.TaskFailed");
    CHECK(runs(home) == 1);
  }
  home.write("go", "");
  driver.start(TaskDriver::key(1, 1), kTrain, request);
  REQUIRE(driver.wait(TaskDriver::key(1, 1)));
  const Json document = parse(TaskDriver::text(*driver.seen[TaskDriver::key(1, 1)].outcome));
  CHECK(document["TrainingJobStatus"] == "Completed");
  CHECK(!document.contains("FailureReason"));
  CHECK(runs(home) == 2);
}

TEST_CASE("Job: the API can't use a name twice") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto call = [&](const std::string& operation, const std::string& arguments) {
    std::optional<Outcome> answer;
    driver.runner->call("sagemaker", operation, Payload::literal(arguments), "user",
                        [&](Outcome o) { answer = std::move(o); });
    driver.loop->run_until([&] { return answer.has_value(); });
    return TaskDriver::text(*answer);
  };
  const std::string request = training(home, "a", "true");
  CHECK(call("createTrainingJob", request).find("TrainingJobArn") != std::string::npos);
  CHECK(call("createTrainingJob", request) ==
        "SageMaker.ResourceInUseException: TrainingJob \"a\" already exists (job names are used once)");
  CHECK(call("createUnicorn", "{}") ==
        "SageMaker.ValidationException: unknown operation sagemaker:createUnicorn");
  CHECK(parse(call("listTrainingJobs", R"({"NameContains":"b"})"))["TrainingJobSummaries"].empty());
  CHECK(eventually([&] {
    return parse(call("listTrainingJobs", R"({"StatusEquals":"Completed"})"))["TrainingJobSummaries"]
               .size() == 1;
  }));
}

TEST_CASE("Job: what is cancelled while it waits for its turn leaves nothing InProgress") {
  const TemporaryHome home;
  TaskDriver driver(home.path(), 1);
  driver.start(TaskDriver::key(1), kTrain, training(home, "first", kCount + kWait));
  REQUIRE(eventually([&] { return runs(home) == 1; }));
  driver.start(TaskDriver::key(2), kTrain, training(home, "waits", kCount));
  driver.start(TaskDriver::key(3), kTrain, training(home, "left", kCount));
  // As an earlier process left it.
  const Json request = parse(training(home, "left", kCount));
  Json left = request;
  left["TrainingJobStatus"] = "InProgress";
  left["SecondaryStatusTransitions"] = Json::array();
  left["Millrace"] = {{"Request", request}, {"Key", "1/1/3/0"}};
  REQUIRE(driver.runner->jobs().create("TrainingJob", "left", left));
  driver.runner->cancel(TaskDriver::key(2));
  driver.runner->cancel(TaskDriver::key(3));
  home.write("go", "");
  REQUIRE(driver.wait(TaskDriver::key(1)));
  CHECK(eventually([&] { return record(driver, "left")["TrainingJobStatus"] == "Stopped"; }));
  CHECK(record(driver, "waits").is_null());
  CHECK(runs(home) == 1);
}

TEST_CASE("Job: its progress in words") {
  Progress progress;
  CHECK(progress_words(progress).empty());
  progress.round = 124, progress.rounds = 200, progress.eta_s = 1.2;
  progress.metric = "validation:auc", progress.value = 0.93125;
  CHECK(progress_words(progress) == "round 124 of 200, validation:auc 0.93125, about 2 s left");
  Progress rows;
  rows.rows = 1'200'000;
  CHECK(progress_words(rows) == "1200000 rows");
}
