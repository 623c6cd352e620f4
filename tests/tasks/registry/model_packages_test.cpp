#include "tasks/registry/model_packages.h"

#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tasks/integrations/events/event_log.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kPackage =
    R"({"ModelPackageGroupName":"churn","InferenceSpecification":{"Containers":[{"Image":"xgboost","ModelDataUrl":"s3://b/m/"}]}})";
const std::string kArn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn/";

}  // namespace

TEST_CASE("Registry: versions count from 1, and a number is not used again") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  CHECK(driver.run("aws-sdk:sagemaker:createModelPackage", kPackage) ==
        "{\"ModelPackageArn\":\"" + kArn + "1\"}");
  CHECK(driver.run("aws-sdk:sagemaker:createModelPackage", kPackage) ==
        "{\"ModelPackageArn\":\"" + kArn + "2\"}");
  CHECK(driver.run("aws-sdk:sagemaker:deleteModelPackage", R"({"ModelPackageName":"churn/2"})") == "{}");
  CHECK(driver.run("aws-sdk:sagemaker:createModelPackage", kPackage) ==
        "{\"ModelPackageArn\":\"" + kArn + "3\"}");
  const Json list =
      parse(driver.run("aws-sdk:sagemaker:listModelPackages", R"({"ModelPackageGroupName":"churn"})"));
  REQUIRE(list["ModelPackageSummaryList"].size() == 2);
  CHECK(list["ModelPackageSummaryList"][0]["ModelPackageVersion"] == 3);
}

TEST_CASE(
    "Registry: a second dispatch of one attempt, or a second use of a ClientToken, makes no second version") {
  const TemporaryHome home;
  const auto key = TaskDriver::key(7);
  std::string first;
  for (int dispatch = 0; dispatch < 2; ++dispatch) {
    TaskDriver driver(home.path());
    driver.start(key, "aws-sdk:sagemaker:createModelPackage", kPackage);
    REQUIRE(driver.wait(key));
    const std::string answer = TaskDriver::text(*driver.seen[key].outcome);
    if (dispatch == 0) first = answer;
    CHECK(answer == first);
  }
  TaskDriver driver(home.path());
  Json with_token = parse(kPackage);
  with_token["ClientToken"] = "t1";
  std::vector<std::string> answers;
  for (int i = 0; i < 2; ++i)
    driver.runner->call("sagemaker", "createModelPackage", to_payload(with_token), "someone",
                        [&](Outcome outcome) { answers.push_back(TaskDriver::text(outcome)); });
  REQUIRE(driver.loop->run_until([&] { return answers.size() == 2; }));
  CHECK(answers[0] == answers[1]);
  CHECK(parse(driver.run("aws-sdk:sagemaker:listModelPackages", "{}"))["ModelPackageSummaryList"].size() ==
        2);
}

TEST_CASE("Registry: approval keeps who, when and why; only Approved packages can be deployed") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  driver.run("aws-sdk:sagemaker:createModelPackage", kPackage);
  const std::string model = R"({"ModelName":"m","PrimaryContainer":{"ModelPackageName":")" + kArn + R"(1"}})";
  CHECK(driver.run("sagemaker:createModel", model) ==
        "SageMaker.ValidationException: model package \"churn/1\" is PendingManualApproval; only Approved "
        "packages can be "
        "deployed (approve it: updateModelPackage with ModelApprovalStatus Approved)");
  CHECK(driver.run("aws-sdk:sagemaker:updateModelPackage",
                   R"({"ModelPackageArn":"churn/1","ModelApprovalStatus":"Maybe"})") ==
        "SageMaker.ValidationException: ModelApprovalStatus: \"Maybe\" is not one of "
        "PendingManualApproval|Approved|Rejected");
  driver.run("aws-sdk:sagemaker:updateModelPackage",
             "{\"ModelPackageArn\":\"" + kArn +
                 R"(1","ModelApprovalStatus":"Approved","ApprovalDescription":"AUC above 0.8"})");
  const Json package =
      parse(driver.run("aws-sdk:sagemaker:describeModelPackage", R"({"ModelPackageName":"churn/1"})"));
  CHECK(package["ModelApprovalStatus"] == "Approved");
  CHECK(!package.contains("Millrace"));
  REQUIRE(package["ApprovalHistory"].size() == 2);
  CHECK(package["ApprovalHistory"][0]["Status"] == "PendingManualApproval");
  CHECK(package["ApprovalHistory"][1]["Description"] == "AUC above 0.8");
  CHECK(package["ApprovalHistory"][1]["By"] == "execution test, state State");
  CHECK(package["ApprovalHistory"][1]["Time"].get<std::int64_t>() > 1'700'000'000'000);
  CHECK(driver.run("sagemaker:createModel", model) ==
        R"({"ModelArn":"arn:aws:sagemaker:us-east-1:123456789012:model/m"})");
  CHECK(driver.run("aws-sdk:sagemaker:deleteModelPackageGroup", R"({"ModelPackageGroupName":"churn"})") ==
        "SageMaker.ConflictException: model package group \"churn\" has model packages (delete them first)");
}

TEST_CASE("Registry: aliases are tags of the group, stand for versions, and go back") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto ask = [&](const std::string& operation, const Json& request) {
    return driver.run("aws-sdk:sagemaker:" + operation, request.dump());
  };
  for (int i = 0; i < 4; ++i) driver.run("aws-sdk:sagemaker:createModelPackage", kPackage);
  const auto approve = [&](int version, const char* status) {
    ask("updateModelPackage",
        {{"ModelPackageArn", "churn/" + std::to_string(version)}, {"ModelApprovalStatus", status}});
  };
  for (const int version : {1, 2, 3, 4}) approve(version, "Approved");
  const std::string group = "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/churn";
  const auto move = [&](const std::string& alias, const std::string& version) {
    return ask("addTags", {{"ResourceArn", group},
                           {"Tags", {{{"Key", "millrace:alias:" + alias}, {"Value", version}}}}});
  };
  CHECK(move("champion", "1").find("\"Value\":\"1\"") != std::string::npos);
  CHECK(parse(ask("describeModelPackage", {{"ModelPackageName", "churn@champion"}}))["ModelPackageVersion"] ==
        1);
  CHECK(ask("describeModelPackage", {{"ModelPackageName", "churn@best"}})
            .find("has no alias \"best\" (it has champion)") != std::string::npos);
  CHECK(move("champion", "7").find("Could not find ModelPackage") != std::string::npos);
  CHECK(move("champion", "two").find("is no version") != std::string::npos);
  CHECK(move("not good", "1").find("letters, digits and hyphens") != std::string::npos);
  CHECK(ask("deleteModelPackage", {{"ModelPackageName", "churn/1"}}).find("has the alias \"champion\"") !=
        std::string::npos);
  CHECK(
      ask("createModel", {{"ModelName", "m"}, {"PrimaryContainer", {{"ModelPackageName", "churn@champion"}}}})
          .find("ModelArn") != std::string::npos);

  move("champion", "3");
  move("champion", "4");
  approve(3, "Rejected");
  const auto back = [&] { return ask("rollbackModelPackageGroup", {{"ModelPackageGroupName", "churn"}}); };
  const Json first = parse(back());  // 3 was rejected: 1 is what it had before
  CHECK(first["PreviousVersion"] == 4);
  CHECK(first["ModelPackageVersion"] == 1);
  CHECK(back().find("there is no approved version before 1") != std::string::npos);
  move("challenger", "4");  // never moved before: the next approved one below
  CHECK(parse(ask("rollbackModelPackageGroup", {{"ModelPackageGroupName", "churn"},
                                                {"Alias", "challenger"}}))["ModelPackageVersion"] == 2);
  CHECK(ask("rollbackModelPackageGroup", {{"ModelPackageGroupName", "churn"}, {"Alias", "none"}})
            .find("has no alias") != std::string::npos);
  const Json history =
      (*driver.runner->jobs().find("ModelPackageGroup", "churn"))["/Millrace/AliasHistory"_json_pointer];
  CHECK(history.size() == 6);
  CHECK(history[3]["From"] == 4);
  CHECK(history[3]["To"] == 1);
}

TEST_CASE("Registry: an attempt that is dispatched again approves once and rolls back once") {
  const TemporaryHome home;
  for (int dispatch = 0; dispatch < 2; ++dispatch) {
    TaskDriver driver(home.path());
    if (dispatch == 0) {
      for (int i = 0; i < 3; ++i) driver.run("aws-sdk:sagemaker:createModelPackage", kPackage);
      for (const char* version : {"1", "2", "3"}) {
        driver.run(
            "aws-sdk:sagemaker:updateModelPackage",
            Json({{"ModelPackageArn", std::string("churn/") + version}, {"ModelApprovalStatus", "Approved"}})
                .dump());
        driver.run(
            "aws-sdk:sagemaker:addTags",
            Json({{"ResourceArn", "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/churn"},
                  {"Tags", {{{"Key", "millrace:alias:champion"}, {"Value", version}}}}})
                .dump());
      }
    }
    driver.start(
        TaskDriver::key(1), "aws-sdk:sagemaker:updateModelPackage",
        R"({"ModelPackageArn":"churn/3","ModelApprovalStatus":"Rejected","ApprovalDescription":"drift"})");
    REQUIRE(driver.wait(TaskDriver::key(1)));
    driver.start(TaskDriver::key(2), "aws-sdk:sagemaker:rollbackModelPackageGroup",
                 R"({"ModelPackageGroupName":"churn"})");
    REQUIRE(driver.wait(TaskDriver::key(2)));
    CHECK(parse(TaskDriver::text(*driver.seen[TaskDriver::key(2)].outcome))["ModelPackageVersion"] == 2);
  }
  TaskDriver driver(home.path());
  CHECK(parse(driver.run("aws-sdk:sagemaker:describeModelPackage",
                         R"({"ModelPackageName":"churn/3"})"))["ApprovalHistory"]
            .size() == 3);
  CHECK(parse(driver.run("aws-sdk:sagemaker:describeModelPackage",
                         R"({"ModelPackageName":"churn@champion"})"))["ModelPackageVersion"] == 2);
  // Each change of a status is one event: three made, three approved, one rejected.
  for (int i = 0; i < 500 && !driver.runner->jobs().changes(1)->empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto events = *(*driver.runner->events())->read(0, 100);
  std::size_t packages = 0, rejected = 0;
  for (const EventLog::Event& event : events) {
    if (event.document["detail-type"] != "SageMaker Model Package State Change") continue;
    ++packages;
    if (event.document["detail"]["ModelApprovalStatus"] == "Rejected") ++rejected;
  }
  CHECK(packages == 7);
  CHECK(rejected == 1);
}

TEST_CASE("Registry: versions are compared by metrics, parameters and data") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  Jobs& jobs = driver.runner->jobs();
  for (const int version : {1, 2}) {
    const std::string v = std::to_string(version), uri = "s3://b/m" + v + "/";
    home.write("objects/b/report" + v + ".json",
               R"({"binary_classification_metrics":{"auc":{"value":0.)" + v +
                   R"(,"standard_deviation":0.1},"recall":{"value":0.5}}})");
    REQUIRE(jobs.create(
        "TrainingJob", "t" + v,
        Json{{"TrainingJobName", "t" + v},
             {"AlgorithmSpecification", {{"TrainingImage", "xgboost"}}},
             {"ModelArtifacts", {{"S3ModelArtifacts", uri}}},
             {"FinalMetricDataList", {{{"MetricName", "validation:auc"}, {"Value", 0.5 + version}}}},
             {"Millrace",
              {{"Step",
                {{"Parameters", {{"eta", "0." + v}, {"depth", "3"}}},
                 {"Inputs",
                  {{{"Name", "train"}, {"Uri", "s3://b/d"}, {"Sha256", "h" + v}, {"Bytes", 3}}}}}}}}}));
    driver.run("aws-sdk:sagemaker:createModelPackage",
               Json({{"ModelPackageGroupName", "churn"},
                     {"InferenceSpecification", {{"Containers", {{{"ModelDataUrl", uri}}}}}},
                     {"ModelMetrics",
                      {{"ModelQuality", {{"Statistics", {{"S3Uri", "s3://b/report" + v + ".json"}}}}}}}})
                   .dump());
  }
  const Json answer = parse(driver.run("aws-sdk:sagemaker:compareModelPackages",
                                       R"({"ModelPackageGroupName":"churn","Versions":[1,"2"]})"));
  const auto values = [&](const char* table, const std::string& name) {
    for (const Json& row : answer[table])
      if (row["Name"] == name) return row["Values"];
    return Json();
  };
  CHECK(values("Metrics", "validation:auc") == Json({1.5, 2.5}));
  CHECK(values("Metrics", "auc") == Json({0.1, 0.2}));
  CHECK(values("Parameters", "eta") == Json({"0.1", "0.2"}));
  CHECK(values("Data", "train sha256") == Json({"h1", "h2"}));
  for (const Json& row : answer["Parameters"]) CHECK(row["Same"] == (row["Name"] != "eta"));
  CHECK(driver
            .run("aws-sdk:sagemaker:compareModelPackages",
                 R"({"ModelPackageGroupName":"churn","Versions":[1]})")
            .find("needs from 2 to 20") != std::string::npos);
  CHECK(driver
            .run("aws-sdk:sagemaker:compareModelPackages",
                 R"({"ModelPackageGroupName":"churn","Versions":[1,9]})")
            .find("Could not find ModelPackage") != std::string::npos);
  // What lists and searches tell versions apart by.
  CHECK(parse(driver.run("aws-sdk:sagemaker:listModelPackages",
                         R"({"ModelPackageType":"Versioned"})"))["ModelPackageSummaryList"]
            .size() == 2);
  CHECK(parse(driver.run("aws-sdk:sagemaker:listModelPackages",
                         R"({"ModelPackageType":"Unversioned"})"))["ModelPackageSummaryList"]
            .empty());
  driver.run("aws-sdk:sagemaker:updateModelPackage",
             R"({"ModelPackageArn":"churn/2","CustomerMetadataProperties":{"team":"risk"}})");
  const Json hits = parse(driver.run(
      "aws-sdk:sagemaker:search",
      R"({"Resource":"ModelPackage","SearchExpression":{"Filters":[{"Name":"CustomerMetadataProperties.team","Operator":"Equals","Value":"risk"}]}})"));
  REQUIRE(hits["Results"].size() == 1);
  CHECK(hits["Results"][0]["ModelPackage"]["ModelPackageVersion"] == 2);
}
