#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kTune = "sagemaker:createHyperParameterTuningJob.sync";

void write_data(const TemporaryHome& home) {
  const auto csv = [](int rows, int shift) {
    std::string text = "y,a,b\n";
    for (int i = 0; i < rows; ++i) {
      const int a = ((i + shift) * 37) % 101, b = ((i + shift) * 53) % 97;
      text += std::to_string(a + (a * b) % 7 > b) + "," + std::to_string(a) + "," + std::to_string(b) + "\n";
    }
    return text;
  };
  home.write("objects/b/train/data.csv", csv(1000, 0));
  home.write("objects/b/validation/data.csv", csv(300, 5000));
}

Json tuning_request(const std::string& name, int trials = 4, int parallel = 2) {
  const auto channel = [](const char* channel_name, const char* uri) {
    return Json{{"ChannelName", channel_name},
                {"ContentType", "text/csv"},
                {"DataSource", {{"S3DataSource", {{"S3Uri", uri}}}}}};
  };
  return {
      {"HyperParameterTuningJobName", name},
      {"HyperParameterTuningJobConfig",
       {{"Strategy", "Random"},
        {"HyperParameterTuningJobObjective", {{"Type", "Maximize"}, {"MetricName", "validation:auc"}}},
        {"ResourceLimits", {{"MaxNumberOfTrainingJobs", trials}, {"MaxParallelTrainingJobs", parallel}}},
        {"ParameterRanges",
         {{"ContinuousParameterRanges",
           {{{"Name", "eta"}, {"MinValue", "0.05"}, {"MaxValue", "0.5"}, {"ScalingType", "Logarithmic"}}}},
          {"IntegerParameterRanges",
           {{{"Name", "max_depth"}, {"MinValue", "2"}, {"MaxValue", "6"}, {"ScalingType", "Auto"}}}}}},
        {"RandomSeed", 7}}},
      {"TrainingJobDefinition",
       {{"AlgorithmSpecification", {{"TrainingImage", "xgboost"}, {"TrainingInputMode", "File"}}},
        {"StaticHyperParameters",
         {{"objective", "binary:logistic"}, {"num_round", "5"}, {"eval_metric", "auc"}}},
        {"InputDataConfig", {channel("train", "s3://b/train/"), channel("validation", "s3://b/validation/")}},
        {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}},
        {"ResourceConfig", {{"InstanceCount", 1}, {"InstanceType", "ml.m5.large"}, {"VolumeSizeInGB", 10}}},
        {"RoleArn", "arn:aws:iam::123456789012:role/MLRole"}}}};
}

}  // namespace

TEST_CASE("Tuning job: trials are training jobs; the best is in the Describe document") {
  const TemporaryHome home;
  write_data(home);
  TaskDriver driver(home.path());
  const std::string text = driver.run(kTune, tuning_request("tune-1").dump());
  INFO(text);
  const Json answer = parse(text);
  REQUIRE(answer.is_object());
  CHECK(answer["HyperParameterTuningJobStatus"] == "Completed");
  CHECK(answer["HyperParameterTuningJobArn"] ==
        "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tune-1");
  CHECK(answer["TrainingJobStatusCounters"]["Completed"] == 4);
  CHECK(answer["ObjectiveStatusCounters"]["Succeeded"] == 4);
  CHECK(answer.contains("HyperParameterTuningEndTime"));
  const Json best = answer["BestTrainingJob"];
  CHECK(best["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "validation:auc");
  const Json trials =
      parse(driver.run("aws-sdk:sagemaker:listTrainingJobsForHyperParameterTuningJob",
                       R"({"HyperParameterTuningJobName":"tune-1"})"))["TrainingJobSummaries"];
  REQUIRE(trials.size() == 4);
  double highest = 0;
  for (const Json& trial : trials) {
    highest = std::max(highest, trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"].get<double>());
    CHECK(trial["TunedHyperParameters"].size() == 2);
    CHECK(trial["TrainingJobName"].get<std::string>().find("tune-1-00") == 0);
  }
  CHECK(best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == highest);
  const Json job = parse(driver.run("aws-sdk:sagemaker:describeTrainingJob",
                                    Json{{"TrainingJobName", best["TrainingJobName"]}}.dump()));
  CHECK(job["TuningJobArn"] == answer["HyperParameterTuningJobArn"]);
  CHECK(job["HyperParameters"]["num_round"] == "5");
  CHECK(std::filesystem::exists(
      home.path("objects/b/models/" + best["TrainingJobName"].get<std::string>() + "/output/model.tar.gz")));
}

TEST_CASE("Tuning job: a warm start learns from an ended job of the same data and algorithm") {
  const TemporaryHome home;
  write_data(home);
  TaskDriver driver(home.path());
  Json request = tuning_request("tune-6", 2);
  const auto warm = [&](const char* parent, const char* type) {
    request["WarmStartConfig"] = {
        {"WarmStartType", type},
        {"ParentHyperParameterTuningJobs", {{{"HyperParameterTuningJobName", parent}}}}};
    return driver.run(kTune, request.dump());
  };
  CHECK(warm("tune-5", "IdenticalDataAndAlgorithm").find("the parent tuning job 'tune-5' does not exist") !=
        std::string::npos);
  REQUIRE(parse(driver.run(kTune, tuning_request("tune-5", 3).dump())).is_object());
  const Json answer = parse(warm("tune-5", "IdenticalDataAndAlgorithm"));
  REQUIRE(answer.is_object());
  CHECK(answer["HyperParameterTuningJobStatus"] == "Completed");
  request["HyperParameterTuningJobName"] = "tune-7";
  request["TrainingJobDefinition"]["InputDataConfig"].erase(1);
  request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"] = "train:auc";
  CHECK(warm("tune-5", "TransferLearning").find("has another objective: validation:auc") !=
        std::string::npos);
}

TEST_CASE(
    "Tuning job: after a crash, trials that had ended are taken from their records, the others are run") {
  const TemporaryHome home;
  write_data(home);
  const auto key = TaskDriver::key(1);
  Json first;
  {
    TaskDriver driver(home.path());
    driver.start(key, kTune, tuning_request("tune-2").dump());
    REQUIRE(driver.wait(key));
    REQUIRE(driver.seen[key].outcome->has_value());
    first = parse(TaskDriver::text(*driver.seen[key].outcome));
    // As a crash leaves it: the tuning job and its third trial InProgress, the fourth not begun.
    Jobs& jobs = driver.runner->jobs();
    const auto trials = jobs.list("TrainingJob", "tune-2-");
    REQUIRE(trials->size() == 4);
    for (const Json& trial : *trials) {
      const std::string name = trial["TrainingJobName"];
      if (name.find("tune-2-004") == 0) CHECK(jobs.remove("TrainingJob", name));
      if (name.find("tune-2-003") == 0)
        CHECK(jobs.modify("TrainingJob", name, [](Json& r) -> Status {
          r["TrainingJobStatus"] = "InProgress";
          return {};
        }));
    }
    CHECK(jobs.modify("HyperParameterTuningJob", "tune-2", [](Json& r) -> Status {
      r["HyperParameterTuningJobStatus"] = "InProgress";
      r.erase("BestTrainingJob");
      return {};
    }));
  }
  TaskDriver driver(home.path());
  const auto end_of = [&](const char* prefix) {
    return driver.runner->jobs().list("TrainingJob", prefix)->front()["TrainingEndTime"].get<std::int64_t>();
  };
  const std::int64_t first_ended = end_of("tune-2-001"), third_ended = end_of("tune-2-003");
  driver.start(key, kTune, tuning_request("tune-2").dump());
  REQUIRE(driver.wait(key));
  const Json second = parse(TaskDriver::text(*driver.seen[key].outcome));
  CHECK(end_of("tune-2-001") == first_ended);
  CHECK(end_of("tune-2-003") > third_ended);
  CHECK(driver.runner->jobs().list("TrainingJob")->size() == 4);
  CHECK(second["BestTrainingJob"]["TrainingJobName"] == first["BestTrainingJob"]["TrainingJobName"]);
  CHECK(second["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"] ==
        first["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]);
}

TEST_CASE("Tuning job: the trials may be programs, judged by a metric of their output") {
  const TemporaryHome home;
  home.write("objects/b/code/train.py",
             "import sys\n"
             "a = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
             "if a['--x'] == '3': sys.exit('three is not allowed')\n"
             "print('loss=%s;' % (int(a['--x']) - 2) ** 2)\n");
  TaskDriver driver(home.path());
  Json request = tuning_request("tune-3", 4, 2);
  request["HyperParameterTuningJobConfig"]["Strategy"] = "Grid";
  request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"] = {{"Type", "Minimize"},
                                                                                  {"MetricName", "loss"}};
  request["HyperParameterTuningJobConfig"]["ParameterRanges"] = {
      {"IntegerParameterRanges", {{{"Name", "x"}, {"MinValue", "1"}, {"MaxValue", "4"}}}}};
  Json& definition = request["TrainingJobDefinition"];
  definition["AlgorithmSpecification"] = {
      {"TrainingImage", "script"},
      {"TrainingInputMode", "File"},
      {"MetricDefinitions", {{{"Name", "loss"}, {"Regex", "loss=([0-9.]+)"}}}}};
  definition["StaticHyperParameters"] = {{"sagemaker_program", "train.py"},
                                         {"sagemaker_submit_directory", "s3://b/code/"}};
  definition.erase("InputDataConfig");
  const std::string text = driver.run(kTune, request.dump());
  INFO(text);
  const Json answer = parse(text);
  REQUIRE(answer.is_object());
  CHECK(answer["BestTrainingJob"]["TunedHyperParameters"]["x"] == "2");
  CHECK(answer["TrainingJobStatusCounters"]["Completed"] == 3);
  CHECK(answer["TrainingJobStatusCounters"]["NonRetryableError"] == 1);
}

TEST_CASE("Tuning job: cancelling stops the trials too") {
  const TemporaryHome home;
  write_data(home);
  TaskDriver driver(home.path());
  const auto key = TaskDriver::key(1);
  Json request = tuning_request("tune-4", 50, 1);
  request["TrainingJobDefinition"]["StaticHyperParameters"]["num_round"] = "2000";
  driver.start(key, kTune, request.dump());
  const auto& jobs = driver.runner->jobs();
  for (int i = 0; i < 1000 && jobs.list("TrainingJob")->empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(!jobs.list("TrainingJob")->empty());
  const auto begun = std::chrono::steady_clock::now();
  driver.runner->cancel(key);
  const auto status = [&] {
    return jobs.find("HyperParameterTuningJob", "tune-4")->value("HyperParameterTuningJobStatus", "");
  };
  for (int i = 0; i < 1000 && status() == "InProgress"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(status() == "Stopped");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(3));
  const auto trials = jobs.list("TrainingJob");
  for (const Json& trial : *trials) CHECK(trial["TrainingJobStatus"] != "InProgress");
}

TEST_CASE("Tuning job: a stopped one has the best of what had ended, right counts and its leaderboard") {
  const TemporaryHome home;
  write_data(home);
  TaskDriver driver(home.path());
  const auto key = TaskDriver::key(1);
  driver.start(key, kTune, tuning_request("tune-6", 700, 2).dump());
  const auto& jobs = driver.runner->jobs();
  const auto completed = [&] {
    const auto trials = jobs.list("TrainingJob");
    return std::count_if(trials->begin(), trials->end(),
                         [](const Json& trial) { return trial["TrainingJobStatus"] == "Completed"; });
  };
  for (int i = 0; i < 2000 && completed() < 3; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  driver.runner->cancel(key);
  const auto record = [&] { return *jobs.find("HyperParameterTuningJob", "tune-6"); };
  for (int i = 0; i < 1000 && record()["HyperParameterTuningJobStatus"] != "Stopped"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const Json ended = record();
  REQUIRE(ended["HyperParameterTuningJobStatus"] == "Stopped");
  CHECK(ended["TrainingJobStatusCounters"]["InProgress"] == 0);
  CHECK(ended["TrainingJobStatusCounters"]["Completed"] == completed());
  double best = 0;
  const auto trials = jobs.list("TrainingJob");
  for (const Json& trial : *trials) {
    if (trial["TrainingJobStatus"] != "Completed") continue;
    for (const Json& metric : trial["FinalMetricDataList"])
      if (metric["MetricName"] == "validation:auc") best = std::max(best, metric["Value"].get<double>());
  }
  CHECK(ended["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == best);
  const std::string uri = ended.value("TuningResultsS3Uri", "s3://b/none/");
  const std::string folder = uri.substr(std::string("s3://").size());
  CHECK(std::filesystem::exists(home.path("objects/" + folder + "report.html")));
}

TEST_CASE("Tuning job: its trials go through the step cache, with their course") {
  const TemporaryHome home;
  write_data(home);
  TaskDriver driver(home.path());
  Json request = tuning_request("tune-a");
  request["Tags"] = {{{"Key", "millrace:cache"}, {"Value", "P1D"}}};
  const Json first = parse(driver.run(kTune, request.dump()));
  request["HyperParameterTuningJobName"] = "tune-b";
  const Json second = parse(driver.run(kTune, request.dump()));
  CHECK(second["TrainingJobStatusCounters"]["Completed"] == 4);
  CHECK(second["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"] ==
        first["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]);
  const auto trials = driver.runner->jobs().list("TrainingJob", "tune-b-");
  REQUIRE(trials->size() == 4);
  for (const Json& trial : *trials) {
    CHECK(trial["/Millrace/Step/Cache/Result"_json_pointer] == "hit");
    const Json course = trial["/Millrace/Trial"_json_pointer];
    CHECK(course["curve"].size() == 5);
    CHECK(trial["/Millrace/Course/validation:auc/Values"_json_pointer] == course["curve"]);
    CHECK(trial["TuningJobArn"] == second["HyperParameterTuningJobArn"]);
  }
}
