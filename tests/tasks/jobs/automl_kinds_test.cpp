// AutoML jobs over texts and series, definitions alone, deployment.

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kCreate = "sagemaker:createAutoMLJobV2.sync";

Json request_with(const std::string& name, const char* config_name, const Json& config) {
  return {{"AutoMLJobName", name},
          {"AutoMLJobInputDataConfig",
           Json::array({{{"ChannelType", "training"},
                         {"DataSource",
                          {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", "s3://b/in/"}}}}}}})},
          {"AutoMLProblemTypeConfig", {{config_name, config}}},
          {"OutputDataConfig", {{"S3OutputPath", "s3://b/out"}}}};
}

Json texts_request(const std::string& name, int candidates) {
  return request_with(name, "TextClassificationJobConfig",
                      {{"ContentColumn", "message"},
                       {"TargetLabelColumn", "kind"},
                       {"CompletionCriteria", {{"MaxCandidates", candidates}}}});
}

Json series_request(const std::string& name, int candidates) {
  Json config = Json::parse(R"({"ForecastFrequency": "1D", "ForecastHorizon": 7,
    "TimeSeriesConfig": {"TargetAttributeName": "sold", "TimestampAttributeName": "day", "ItemIdentifierAttributeName": "shop"}})");
  config["CompletionCriteria"]["MaxCandidates"] = candidates;
  return request_with(name, "TimeSeriesForecastingJobConfig", config);
}

// Complaints and praise, with a number that does not matter; one row has no label.
void write_messages(const TemporaryHome& home, int rows = 150) {
  const char* words[2][5] = {{"broken", "late", "refund", "angry", "never"},
                             {"great", "love", "fast", "thanks", "perfect"}};
  Random random(4);
  std::string csv = "id,message,kind\n";
  for (int i = 0; i < rows; ++i) {
    csv += std::to_string(i) + ",\"";
    for (int k = 0; k < 4; ++k) csv += std::string(words[i % 2][random.below(5)]) + ", it was ";
    csv += i == 7 ? "\",\n" : i % 2 == 0 ? "\",bad news\n" : "\",\"good, very\"\n";
  }
  home.write("objects/b/in/messages.csv", csv);
}

// Two shops with a week's rhythm; two rows of one day, a day that is missing, a column that is not used.
void write_sales(const TemporaryHome& home, int days = 70) {
  std::string csv = "shop,day,sold,weather\n";
  Random random(5);
  for (const char* shop : {"north", "south"}) {
    for (int d = 0; d < days; ++d) {
      if (d == 20) continue;
      const std::chrono::year_month_day day{std::chrono::sys_days(std::chrono::days(20'000 + d))};
      char text[16];
      std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()),
                    static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
      const double sold = 50 + (d % 7 < 2 ? 30 : 0) + 2 * random.normal();
      csv += std::string(shop) + "," + text + " 09:00:00," + std::to_string(sold - 10) + ",dry\n";
      csv += std::string(shop) + "," + text + " 17:00:00,10,wet\n";
    }
  }
  home.write("objects/b/in/sales.csv", csv);
}

double metric_of(const Json& candidate, const std::string& standard_name) {
  for (const Json& metric : candidate["CandidateProperties"]["CandidateMetrics"])
    if (metric["StandardMetricName"] == standard_name) return metric["Value"];
  return std::nan("");
}

}  // namespace

TEST_CASE("AutoML of texts: candidates, their ensemble, a model that answers texts, a workflow") {
  const TemporaryHome home;
  write_messages(home);
  TaskDriver driver(home.path());
  const std::string text = driver.run(kCreate, texts_request("talk", 4).dump());
  INFO(text);
  const Json job = parse(text);
  REQUIRE(job.is_object());
  CHECK(job["AutoMLJobStatus"] == "Completed");
  CHECK(job["AutoMLProblemTypeConfigName"] == "TextClassification");
  CHECK(job["ResolvedAttributes"]["AutoMLJobObjective"]["MetricName"] == "Accuracy");
  const Json best = job["BestCandidate"];
  CHECK(best["FinalAutoMLJobObjectiveMetric"]["Value"].get<double>() > 0.95);
  CHECK(best["InferenceContainers"][0]["Image"] == "text-ensemble");
  CHECK(metric_of(best, "F1") > 0.9);
  const Json candidates = parse(driver.run("aws-sdk:sagemaker:listCandidatesForAutoMLJob",
                                           R"({"AutoMLJobName": "talk"})"))["Candidates"];
  CHECK(candidates.size() >= 4);
  std::string algorithms;
  for (const Json& candidate : candidates) {
    CHECK_MESSAGE(candidate["CandidateStatus"] == "Completed", candidate.dump());
    algorithms += candidate["Description"].get<std::string>() + "\n";
  }
  for (const char* name : {"blazingtext", "linear-learner", "xgboost"})
    CHECK_MESSAGE(algorithms.find(name) != std::string::npos, algorithms);

  REQUIRE(driver
              .run("sagemaker:createModel",
                   Json{{"ModelName", "talk"}, {"Containers", best["InferenceContainers"]}}.dump())
              .find("Arn") != std::string::npos);
  home.write("objects/b/new/rows.csv",
             "message\n\"thanks, perfect\"\n\"broken, it was late, it was refund, it was never, it was \"\n");
  const Json transform = {
      {"TransformJobName", "t"},
      {"ModelName", "talk"},
      {"TransformInput",
       {{"ContentType", "text/csv"}, {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/new/"}}}}}}},
      {"TransformOutput", {{"S3OutputPath", "s3://b/scored"}}}};
  const std::string transformed = driver.run("sagemaker:createTransformJob.sync", transform.dump());
  REQUIRE_MESSAGE(transformed.find("Completed") != std::string::npos, transformed);
  const std::string scores = home.read("objects/b/scored/rows.csv.out");
  CHECK_MESSAGE(scores.starts_with("\"good, very\",0."), scores);
  CHECK_MESSAGE(scores.find("\nbad news,0.") != std::string::npos, scores);

  const Json workflow = parse(home.read("objects/b/out/talk/workflow.asl.json"));
  CHECK(workflow["StartAt"] == "Train");
  CHECK(workflow["States"]["Train"]["Parameters"]["AlgorithmSpecification"]["TrainingImage"] ==
        "text-ensemble");
  for (const char* page : {"objects/b/out/talk/leaderboard.html", "objects/b/out/talk/data_exploration.html"})
    CHECK(home.read(page).find("</html>") != std::string::npos);
  CHECK(home.read("objects/b/out/talk/data_exploration.html").find("1 rows have no target") !=
        std::string::npos);
}

TEST_CASE("AutoML of texts: what is wrong with the data is said") {
  const TemporaryHome home;
  write_messages(home);
  TaskDriver driver(home.path());
  Json request = texts_request("wrong", 1);
  request["AutoMLProblemTypeConfig"]["TextClassificationJobConfig"]["ContentColumn"] = "massage";
  const std::string no_column = driver.run(kCreate, request.dump());
  CHECK_MESSAGE(no_column.find("ContentColumn: the data has no column \\\"massage\\\"") != std::string::npos,
                no_column);
  home.write("objects/b/in/messages.csv", "message,kind\na b c,x\n");
  const std::string few = driver.run(kCreate, texts_request("few", 1).dump());
  CHECK_MESSAGE(few.find("rows") != std::string::npos, few);
}

TEST_CASE("AutoML of series: candidates are judged by the last steps, the winner is trained on all of them") {
  const TemporaryHome home;
  write_sales(home);
  TaskDriver driver(home.path());
  const std::string text = driver.run(kCreate, series_request("sales", 4).dump());
  INFO(text);
  const Json job = parse(text);
  REQUIRE(job.is_object());
  CHECK(job["AutoMLJobStatus"] == "Completed");
  CHECK(job["AutoMLProblemTypeConfigName"] == "TimeSeriesForecasting");
  CHECK(job["ResolvedAttributes"]["AutoMLJobObjective"]["MetricName"] == "AverageWeightedQuantileLoss");
  const Json best = job["BestCandidate"];
  CHECK(best["FinalAutoMLJobObjectiveMetric"]["Type"] == "Minimize");
  CHECK(best["FinalAutoMLJobObjectiveMetric"]["Value"].get<double>() < 0.08);
  for (const char* name : {"MASE", "RMSE", "WAPE", "MAPE", "AverageWeightedQuantileLoss"})
    CHECK_MESSAGE(std::isfinite(metric_of(best, name)), name);
  CHECK(best["CandidateSteps"].back()["CandidateStepName"] == "sales-final");
  CHECK(best["InferenceContainers"][0]["ModelDataUrl"] ==
        "s3://b/out/sales/models/sales-final/output/model.tar.gz");
  const std::string report = home.read("objects/b/out/sales/data_exploration.html");
  for (const char* words : {"rows share a step with others", "weather", "left out", "have no value"})
    CHECK_MESSAGE(report.find(words) != std::string::npos, words);
  const std::string prepared = home.read("objects/b/out/sales/prepared/train/data.csv");
  CHECK(prepared.starts_with("item_id,timestamp,target_value\nnorth,2024-10-04,"));
  CHECK(prepared.find("2024-12-05") != std::string::npos);  // the last but seven
  CHECK(prepared.find("2024-12-06") == std::string::npos);

  // The model knows the shops, and what comes behind their last day.
  REQUIRE(driver
              .run("sagemaker:createModel",
                   Json{{"ModelName", "sales"}, {"Containers", best["InferenceContainers"]}}.dump())
              .find("Arn") != std::string::npos);
  home.write("objects/b/new/ask.jsonl", "{\"item_id\": \"north\"}\n");
  const Json transform = {{"TransformJobName", "t"},
                          {"ModelName", "sales"},
                          {"TransformInput",
                           {{"ContentType", "application/jsonlines"},
                            {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/new/"}}}}}}},
                          {"TransformOutput", {{"S3OutputPath", "s3://b/scored"}, {"Accept", "text/csv"}}}};
  const std::string transformed = driver.run("sagemaker:createTransformJob.sync", transform.dump());
  REQUIRE_MESSAGE(transformed.find("Completed") != std::string::npos, transformed);
  const std::string forecast = home.read("objects/b/scored/ask.jsonl.out");
  CHECK_MESSAGE(forecast.find("north,2024-12-13,") != std::string::npos, forecast);
  CHECK_MESSAGE(forecast.find("north,2024-12-19,") != std::string::npos, forecast);

  const Json workflow = parse(home.read("objects/b/out/sales/workflow.asl.json"));
  CHECK(workflow["StartAt"] == "Prepare");
  CHECK(workflow["States"]["Prepare"]["Parameters"]["AppSpecification"]["ImageUri"] == "series");
  CHECK(workflow["States"]["Train"]["Parameters"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]
                ["S3Uri.$"] ==
        "States.Format('s3://b/out/sales/workflow/{}/prepared/all', $$.Execution.Name)");
}

TEST_CASE("AutoML of series: a horizon that is too long for the data, cells that are no times") {
  const TemporaryHome home;
  write_sales(home, 27);
  TaskDriver driver(home.path());
  const std::string longer = driver.run(kCreate, series_request("long", 1).dump());
  CHECK_MESSAGE(longer.find("the longest series has 27 steps of 1D") != std::string::npos, longer);
  home.write("objects/b/in/sales.csv", "shop,day,sold\nn,tomorrow,3\n");
  const std::string no_time = driver.run(kCreate, series_request("times", 1).dump());
  CHECK_MESSAGE(no_time.find("'tomorrow' is not a time") != std::string::npos, no_time);
}

TEST_CASE("AutoML of series: after a crash, candidates that had ended are not trained again") {
  const TemporaryHome home;
  write_sales(home);
  const auto key = TaskDriver::key(1);
  std::int64_t ended = 0;
  Json first;
  {
    TaskDriver driver(home.path());
    driver.start(key, kCreate, series_request("sales", 3).dump());
    REQUIRE(driver.wait(key));
    first = parse(TaskDriver::text(*driver.seen[key].outcome));
    REQUIRE(first.is_object());
    Jobs& jobs = driver.runner->jobs();
    CHECK(jobs.modify("AutoMLJob", "sales", [](Json& r) -> Status {
      r["AutoMLJobStatus"] = "InProgress";
      return {};
    }));
    for (const char* gone : {"sales-c03", "sales-final"}) CHECK(jobs.remove("TrainingJob", gone));
    ended = jobs.find("TrainingJob", "sales-c01")->at("TrainingEndTime").get<std::int64_t>();
  }
  TaskDriver driver(home.path());
  driver.start(key, kCreate, series_request("sales", 3).dump());
  REQUIRE(driver.wait(key));
  const Json second = parse(TaskDriver::text(*driver.seen[key].outcome));
  REQUIRE(second.is_object());
  CHECK(second["BestCandidate"]["FinalAutoMLJobObjectiveMetric"] ==
        first["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]);
  CHECK(driver.runner->jobs().find("TrainingJob", "sales-c01")->at("TrainingEndTime") == ended);
}

TEST_CASE("AutoML: definitions alone train nothing; a model that is deployed answers") {
  const TemporaryHome home;
  std::string csv = "x,city,y\n";
  Random random(8);
  for (int i = 0; i < 120; ++i) {
    const double x = random.normal();
    csv += std::to_string(x) + "," + (i % 2 ? "Rome" : "Oslo") + "," + (x > 0 ? "yes" : "no") + "\n";
  }
  home.write("objects/b/in/rows.csv", csv);
  TaskDriver driver(home.path());
  Json request = request_with("plan", "TabularJobConfig",
                              {{"TargetAttributeName", "y"}, {"GenerateCandidateDefinitionsOnly", true}});
  const Json planned = parse(driver.run(kCreate, request.dump()));
  REQUIRE(planned.is_object());
  CHECK(planned["AutoMLJobSecondaryStatus"] == "CandidateDefinitionsGenerated");
  CHECK(!planned.contains("BestCandidate"));
  CHECK(driver.runner->jobs().list("TrainingJob", "plan")->empty());
  const Json workflow = parse(home.read("objects/b/out/plan/workflow.asl.json"));
  CHECK(parse(workflow["States"]["Train"]["Parameters"]["HyperParameters"]["members"].get<std::string>())
            .size() > 3);

  request = request_with("live", "TabularJobConfig",
                         {{"TargetAttributeName", "y"}, {"CompletionCriteria", {{"MaxCandidates", 1}}}});
  request["ModelDeployConfig"]["EndpointName"] = "live-churn";
  const std::string text = driver.run(kCreate, request.dump());
  INFO(text);
  const Json live = parse(text);
  REQUIRE(live.is_object());
  CHECK(live["ModelDeployResult"]["EndpointName"] == "live-churn");
  CHECK(live["AutoMLJobSecondaryStatus"] == "Completed");
  const Json endpoint =
      parse(driver.run("aws-sdk:sagemaker:describeEndpoint", R"({"EndpointName": "live-churn"})"));
  CHECK(endpoint["EndpointStatus"] == "InService");
  const std::string answer =
      driver.run("aws-sdk:sagemakerruntime:invokeEndpoint",
                 R"({"EndpointName": "live-churn", "ContentType": "text/csv", "Body": "1.5,Rome"})");
  CHECK_MESSAGE(answer.find("0.") != std::string::npos, answer);

  // A name that is taken: the job completes all the same, and says why there is no endpoint.
  request["AutoMLJobName"] = "taken";
  const Json taken = parse(driver.run(kCreate, request.dump()));
  REQUIRE(taken.is_object());
  CHECK(taken["AutoMLJobStatus"] == "Completed");
  CHECK(taken["AutoMLJobSecondaryStatus"] == "ModelDeploymentError");
  CHECK(!taken.contains("ModelDeployResult"));
}
