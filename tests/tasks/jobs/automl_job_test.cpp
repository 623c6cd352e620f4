#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kAutoML = "sagemaker:createAutoMLJobV2.sync";

// Income and a city decide; ids and a constant do not.
void write_customers(const TemporaryHome& home, int rows = 300) {
  std::string csv = "id,income,city,same,bought\n";
  Random random(8);
  for (int i = 0; i < rows; ++i) {
    const double income = 100 * random.normal();
    const std::string city = i % 3 == 0 ? "Rome" : i % 3 == 1 ? "Oslo" : "Bern";
    const bool bought = income + (city == "Rome" ? 120 : -40) + 30 * random.normal() > 0;
    csv += std::to_string(i) + "," + (i % 17 == 0 ? "" : std::to_string(income)) + "," + city + ",1," +
           (bought ? "yes" : "no") + "\n";
  }
  home.write("objects/b/in/customers.csv", csv);
}

Json automl_request(const std::string& name, int candidates = 4) {
  return {{"AutoMLJobName", name},
          {"AutoMLJobInputDataConfig",
           Json::array({{{"ChannelType", "training"},
                         {"DataSource",
                          {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", "s3://b/in/"}}}}}}})},
          {"AutoMLProblemTypeConfig",
           {{"TabularJobConfig",
             {{"TargetAttributeName", "bought"}, {"CompletionCriteria", {{"MaxCandidates", candidates}}}}}}},
          {"AutoMLJobObjective", {{"MetricName", "AUC"}}},
          {"OutputDataConfig", {{"S3OutputPath", "s3://b/out"}}}};
}

Json candidates_of(TaskDriver& driver, const std::string& name) {
  return parse(driver.run("aws-sdk:sagemaker:listCandidatesForAutoMLJob",
                          Json{{"AutoMLJobName", name}, {"SortOrder", "Ascending"}}.dump()))["Candidates"];
}

}  // namespace

TEST_CASE("AutoML job: from a file to a leaderboard, a model that serves raw rows, and a workflow") {
  const TemporaryHome home;
  write_customers(home);
  TaskDriver driver(home.path());
  const std::string text = driver.run(kAutoML, automl_request("churn").dump());
  INFO(text);
  const Json job = parse(text);
  REQUIRE(job.is_object());
  CHECK(job["AutoMLJobStatus"] == "Completed");
  CHECK(job["AutoMLJobSecondaryStatus"] == "Completed");
  CHECK(job["AutoMLJobArn"] == "arn:aws:sagemaker:us-east-1:123456789012:automl-job/churn");
  CHECK(job["AutoMLProblemTypeConfigName"] == "Tabular");
  CHECK(job.contains("EndTime"));
  CHECK(job["ResolvedAttributes"]["AutoMLProblemTypeResolvedAttributes"]["TabularResolvedAttributes"]
           ["ProblemType"] == "BinaryClassification");
  const Json best = job["BestCandidate"];
  CHECK(best["FinalAutoMLJobObjectiveMetric"]["Type"] == "Maximize");
  CHECK(best["FinalAutoMLJobObjectiveMetric"]["StandardMetricName"] == "AUC");
  CHECK(best["FinalAutoMLJobObjectiveMetric"]["Value"].get<double>() > 0.9);
  for (const Json& metric : best["CandidateProperties"]["CandidateMetrics"])
    CHECK(metric["StandardDeviation"].get<double>() >= 0);

  const Json candidates = candidates_of(driver, "churn");
  REQUIRE(candidates.size() >= 4);
  for (const Json& candidate : candidates) {
    CHECK(candidate["CandidateStatus"] == "Completed");
    CHECK(candidate["CandidateSteps"].size() == 2);
    const Json training = parse(driver.run("aws-sdk:sagemaker:describeTrainingJob",
                                           Json{{"TrainingJobName", candidate["CandidateName"]}}.dump()));
    CHECK(training["AutoMLJobArn"] == job["AutoMLJobArn"]);
    // The candidate's metric is the training job's own.
    const double value = candidate["FinalAutoMLJobObjectiveMetric"]["Value"];
    for (const Json& metric : training["FinalMetricDataList"])
      if (metric["MetricName"] == "validation:auc")
        CHECK(metric["Value"].get<double>() == doctest::Approx(value));
  }

  const Json model = {{"ModelName", "churn"}, {"Containers", best["InferenceContainers"]}};
  REQUIRE(driver.run("sagemaker:createModel", model.dump()).find("Arn") != std::string::npos);
  home.write("objects/b/new/rows.csv", "id,income,city,same\n901,400,Rome,1\n902,-400,Oslo,1\n903,,Bern,1\n");
  const Json transform = {
      {"TransformJobName", "t"},
      {"ModelName", "churn"},
      {"TransformInput",
       {{"ContentType", "text/csv"}, {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/new/"}}}}}}},
      {"TransformOutput", {{"S3OutputPath", "s3://b/scored"}}}};
  const std::string transformed = driver.run("sagemaker:createTransformJob.sync", transform.dump());
  REQUIRE_MESSAGE(transformed.find("Completed") != std::string::npos, transformed);
  std::istringstream scores(home.read("objects/b/scored/rows.csv.out"));
  double rome = 0, oslo = 1, bern = -1;
  scores >> rome >> oslo >> bern;
  CHECK(rome > 0.8);
  CHECK(oslo < 0.2);
  CHECK((bern >= 0 && bern <= 1));

  for (const char* page :
       {"objects/b/out/churn/leaderboard.html", "objects/b/out/churn/data_exploration.html"})
    CHECK(home.read(page).find("</html>") != std::string::npos);
  const Json workflow = parse(home.read("objects/b/out/churn/workflow.asl.json"));
  CHECK(workflow["StartAt"] == "Prepare");
  CHECK(workflow["States"]["Train"]["Parameters"]["AlgorithmSpecification"]["TrainingImage"] == "ensemble");

  // The same request under another name, and with another number of threads: the same candidates.
  const Json again = parse(driver.run(kAutoML, automl_request("churn2").dump()));
  CHECK(again["BestCandidate"]["FinalAutoMLJobObjectiveMetric"] == best["FinalAutoMLJobObjectiveMetric"]);
}

TEST_CASE("AutoML job: after a crash, candidates that had ended are not trained again") {
  const TemporaryHome home;
  write_customers(home);
  const auto key = TaskDriver::key(1);
  Json first;
  std::map<std::string, std::int64_t> ended;
  {
    TaskDriver driver(home.path());
    driver.start(key, kAutoML, automl_request("churn").dump());
    REQUIRE(driver.wait(key));
    first = parse(TaskDriver::text(*driver.seen[key].outcome));
    REQUIRE(first.is_object());
    // As a crash leaves it: the job InProgress, the third candidate begun, the fourth and the ensemble not.
    Jobs& jobs = driver.runner->jobs();
    CHECK(jobs.modify("AutoMLJob", "churn", [](Json& r) -> Status {
      r["AutoMLJobStatus"] = "InProgress";
      return {};
    }));
    for (const char* gone : {"churn-c04", "churn-ensemble"}) (void)jobs.remove("TrainingJob", gone);
    CHECK(jobs.modify("TrainingJob", "churn-c03", [](Json& r) -> Status {
      r["TrainingJobStatus"] = "InProgress";
      return {};
    }));
    for (const char* kept : {"churn-c01", "churn-c02"})
      ended[kept] = jobs.find("TrainingJob", kept)->at("TrainingEndTime").get<std::int64_t>();
  }
  TaskDriver driver(home.path());
  driver.start(key, kAutoML, automl_request("churn").dump());
  REQUIRE(driver.wait(key));
  const Json second = parse(TaskDriver::text(*driver.seen[key].outcome));
  REQUIRE(second.is_object());
  CHECK(second["AutoMLJobStatus"] == "Completed");
  CHECK(second["BestCandidate"]["FinalAutoMLJobObjectiveMetric"] ==
        first["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]);
  for (const auto& [name, time] : ended)
    CHECK(driver.runner->jobs().find("TrainingJob", name)->at("TrainingEndTime") == time);
}

TEST_CASE("AutoML job: what is wrong with data or request is said; what is asked of no job is not found") {
  const TemporaryHome home;
  write_customers(home);
  TaskDriver driver(home.path());
  Json request = automl_request("wrong");
  request["AutoMLProblemTypeConfig"]["TabularJobConfig"]["TargetAttributeName"] = "bougt";
  const std::string missing = driver.run(kAutoML, request.dump());
  CHECK(missing.find("the data has no column \\\"bougt\\\"") != std::string::npos);
  CHECK(missing.find("did you mean") != std::string::npos);
  CHECK(missing.starts_with("States.TaskFailed"));
  request = automl_request("wrong2");
  request["AutoMLJobObjective"]["MetricName"] = "R2";
  CHECK(driver.run(kAutoML, request.dump()).find("is not an objective of a BinaryClassification") !=
        std::string::npos);
  CHECK(driver.run("aws-sdk:sagemaker:describeAutoMLJobV2", R"({"AutoMLJobName":"none"})")
            .find("ResourceNotFound") != std::string::npos);
  CHECK(driver.run(kAutoML, automl_request(std::string(33, 'x')).dump()).find("at most 32") !=
        std::string::npos);
}

TEST_CASE("AutoML job: time that is over ends the job with what it has; a stop ends it and its training") {
  const TemporaryHome home;
  write_customers(home);
  TaskDriver driver(home.path());
  Json request = automl_request("late", 750);
  request["AutoMLProblemTypeConfig"]["TabularJobConfig"]["CompletionCriteria"]
         ["MaxAutoMLJobRuntimeInSeconds"] = 8;
  const std::string text = driver.run(kAutoML, request.dump());
  const Json job = parse(text);
  INFO(text);
  REQUIRE(job.is_object());
  CHECK(job["AutoMLJobStatus"] == "Completed");
  CHECK(job["AutoMLJobSecondaryStatus"] == "MaxAutoMLJobRuntimeReached");
  CHECK(candidates_of(driver, "late").size() < 700);

  const auto key = TaskDriver::key(7);
  driver.start(key, kAutoML, automl_request("stopped", 750).dump());
  REQUIRE(driver.loop->run_until([&] {
    const auto record = driver.runner->jobs().find("TrainingJob", "stopped-c01");
    if (!record) driver.loop->post([] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); });
    return record.has_value();
  }));
  driver.run("aws-sdk:sagemaker:stopAutoMLJob", R"({"AutoMLJobName":"stopped"})");
  REQUIRE(driver.wait(key));
  const Json stopped = *driver.runner->jobs().find("AutoMLJob", "stopped");
  CHECK(stopped["AutoMLJobStatus"] == "Stopped");
  CHECK(stopped["AutoMLJobSecondaryStatus"] == "Stopped");
  const auto trainings = driver.runner->jobs().list("TrainingJob", "stopped-");
  REQUIRE(trainings.has_value());
  for (const Json& training : *trainings) CHECK(training["TrainingJobStatus"] != "InProgress");
}
