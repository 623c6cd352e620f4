// feature-ingest, feature-join and feature-materialize as processing jobs over one home.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;

namespace {

struct FeatureHome {
  TemporaryHome home;
  TaskDriver driver{home.path()};
  int jobs = 0;

  void create(const std::string& name, const std::string& value, bool online = true) {
    Json request = {{"FeatureGroupName", name},
                    {"RecordIdentifierFeatureName", "customer"},
                    {"EventTimeFeatureName", "at"},
                    {"FeatureDefinitions",
                     {{{"FeatureName", "customer"}, {"FeatureType", "Integral"}},
                      {{"FeatureName", "at"}, {"FeatureType", "String"}},
                      {{"FeatureName", value}, {"FeatureType", "Fractional"}}}},
                    {"OnlineStoreConfig", {{"EnableOnlineStore", online}}},
                    {"OfflineStoreConfig", {{"S3StorageConfig", {{"S3Uri", "s3://store"}}}}}};
    const std::string answer = driver.run("aws-sdk:sagemaker:createFeatureGroup", request.dump());
    REQUIRE_MESSAGE(answer.starts_with("{\"FeatureGroupArn\""), answer);
  }
  std::string request(const std::string& image, const Json& settings, const std::string& input) {
    Json job = {{"ProcessingJobName", "job-" + std::to_string(++jobs)},
                {"AppSpecification", {{"ImageUri", image}}},
                {"Environment", {{"SETTINGS", settings.dump()}}},
                {"ProcessingOutputConfig",
                 {{"Outputs", {{{"OutputName", "joined"}, {"S3Output", {{"S3Uri", "s3://out"}}}}}}}}};
    if (!input.empty()) job["ProcessingInputs"] = {{{"InputName", "spine"}, {"S3Input", {{"S3Uri", input}}}}};
    return job.dump();
  }
  std::string run(const std::string& image, const Json& settings, const std::string& input = "") {
    return driver.run("sagemaker:createProcessingJob.sync", request(image, settings, input));
  }
  std::string record(const std::string& group, const std::string& id) {
    return driver.run("aws-sdk:sagemakerfeaturestoreruntime:getRecord",
                      Json{{"FeatureGroupName", group}, {"RecordIdentifierValueAsString", id}}.dump());
  }
};

constexpr char kBalances[] =
    "customer,at,balance\n"
    "1,2026-01-01T00:00:00Z,10\n"
    "1,2026-01-05T00:00:00Z,50\n"
    "2,2026-01-02T12:00:00Z,-2.5\n"
    "1,2026-01-03T00:00:00Z,30\n";
constexpr char kSpine[] =
    "order,customer,when\n"
    "a,1,2026-01-04\n"
    "b,2,2026-01-01\n"
    "c,1,2026-01-05 00:00:00\n"
    "d,2,2026-06-01\n"
    "e,,2026-06-01\n"
    "f,1,2025-12-31\n";

}  // namespace

TEST_CASE_FIXTURE(FeatureHome, "Feature processors: ingest, join as of a time, again without the time") {
  create("balances", "balance");
  create("visits", "pages");
  home.write("objects/inbox/balances.csv", kBalances);
  home.write("objects/inbox/visits.csv", "customer,day,pages,browser\n1,2026-01-03T06:00:00Z,7,x\n");
  home.write("objects/inbox/orders.csv", kSpine);
  std::string answer = run("feature-ingest", {{"group", "balances"}}, "s3://inbox/balances.csv");
  CHECK_MESSAGE(answer.find("\"records\":4") != std::string::npos, answer);
  answer = run("feature-ingest", {{"group", "visits"}}, "s3://inbox/visits.csv");
  CHECK_MESSAGE(answer.find("has no feature \\\"day\\\"") != std::string::npos, answer);
  answer = run("feature-ingest", {{"group", "visits"}, {"columns", {{"day", "at"}, {"browser", nullptr}}}},
               "s3://inbox/visits.csv");
  CHECK_MESSAGE(answer.find("\"records\":1") != std::string::npos, answer);
  CHECK(record("balances", "1").find("\"50\"") != std::string::npos);

  answer = run("feature-join",
               {{"event_time", "when"}, {"groups", {{{"group", "balances"}, {"max_age", "30d"}}, "visits"}}},
               "s3://inbox/orders.csv");
  CHECK_MESSAGE(answer.find("\"rows\":6") != std::string::npos, answer);
  CHECK(home.read("objects/out/joined/data.csv") + home.read("objects/out/data.csv") ==
        "order,customer,when,balance,pages\n"
        "a,1,2026-01-04,30,7\n"
        "b,2,2026-01-01,,\n"
        "c,1,2026-01-05 00:00:00,50,7\n"
        "d,2,2026-06-01,,\n"
        "e,,2026-06-01,,\n"
        "f,1,2025-12-31,,\n");
  answer = run("feature-join",
               {{"point_in_time_accurate_join", false}, {"groups", {"balances"}}, {"event_time", "when"}},
               "s3://inbox/orders.csv");
  CHECK(home.read("objects/out/data.csv").find("f,1,2025-12-31,50\n") != std::string::npos);
}

TEST_CASE_FIXTURE(FeatureHome, "Feature processors: the records of a group as the spine") {
  create("balances", "balance");
  create("visits", "pages");
  const auto put = [&](const std::string& group, const std::string& id, const std::string& at,
                       const std::string& feature, const std::string& value) {
    const Json request = {{"FeatureGroupName", group},
                          {"Record",
                           {{{"FeatureName", "customer"}, {"ValueAsString", id}},
                            {{"FeatureName", "at"}, {"ValueAsString", at}},
                            {{"FeatureName", feature}, {"ValueAsString", value}}}}};
    CHECK(driver.run("aws-sdk:sagemakerfeaturestoreruntime:putRecord", request.dump()) == "{}");
  };
  put("balances", "1", "2026-01-01T00:00:00Z", "balance", "1");
  put("balances", "1", "2026-01-02T00:00:00Z", "balance", "2");
  put("balances", "2", "2026-01-01T00:00:00Z", "balance", "3");
  put("balances", "2", "2026-01-01T00:00:00Z", "balance", "4");
  put("balances", "3", "2026-01-01T00:00:00Z", "balance", "5");
  put("visits", "1", "2026-01-01T06:00:00Z", "pages", "9");
  CHECK(driver.run("aws-sdk:sagemakerfeaturestoreruntime:deleteRecord",
                   R"({"FeatureGroupName":"balances","RecordIdentifierValueAsString":"3",
                       "EventTime":"2026-01-03T00:00:00Z"})") == "{}");
  std::string answer = run("feature-join", {{"base_feature_group", "balances"}, {"groups", {"visits"}}});
  CHECK_MESSAGE(answer.find("\"rows\":3") != std::string::npos, answer);
  CHECK(home.read("objects/out/data.csv") ==
        "customer,at,balance,pages\n"
        "1,2026-01-02T00:00:00Z,2,9\n"
        "1,2026-01-01T00:00:00Z,1,\n"
        "2,2026-01-01T00:00:00Z,4,\n");
  answer = run("feature-join", {{"base_feature_group", "balances"},
                                {"include_duplicated_records", true},
                                {"include_deleted_records", true}});
  CHECK(home.read("objects/out/data.csv") ==
        "customer,at,balance,is_deleted\n"
        "1,2026-01-02T00:00:00Z,2,false\n"
        "1,2026-01-01T00:00:00Z,1,false\n"
        "2,2026-01-01T00:00:00Z,4,false\n"
        "2,2026-01-01T00:00:00Z,3,false\n"
        "3,2026-01-03T00:00:00Z,,true\n"
        "3,2026-01-01T00:00:00Z,5,false\n");
  // What was written later than that is not known.
  answer = run("feature-join", {{"base_feature_group", "balances"}, {"as_of", "2020-01-01"}});
  CHECK(home.read("objects/out/data.csv") == "customer,at,balance\n");
}

TEST_CASE_FIXTURE(FeatureHome, "Feature processors: the online store from the offline store") {
  create("balances", "balance");
  home.write("objects/inbox/balances.csv", kBalances);
  std::string answer = run("feature-ingest", {{"group", "balances"}, {"target_stores", {"OfflineStore"}}},
                           "s3://inbox/balances.csv");
  CHECK_MESSAGE(answer.find("\"online\":false") != std::string::npos, answer);
  CHECK(record("balances", "1") == "{}");
  answer = run("feature-materialize", {{"group", "balances"}});
  CHECK_MESSAGE(answer.find("\"records_online\":2") != std::string::npos, answer);
  CHECK(record("balances", "1").find("{\"FeatureName\":\"balance\",\"ValueAsString\":\"50\"}") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(FeatureHome, "Feature processors: settings that don't fit are refused") {
  create("balances", "balance");
  create("again", "balance");
  home.write("objects/inbox/orders.csv", kSpine);
  const auto refusal = [&](const Json& settings) {
    return run("feature-join", settings, "s3://inbox/orders.csv");
  };
  for (const auto& [settings, said] : std::vector<std::pair<Json, std::string>>{
           {{{"event_time", "when"}}, "groups: needs at least one feature group to join"},
           {{{"groups", {"balances"}}}, "event_time: is required"},
           {{{"groups", {"balances"}}, {"event_time", "then"}}, "the spine has no column"},
           {{{"groups", {"none"}}, {"event_time", "when"}}, "none"},
           {{{"groups", {"balances", "again"}}, {"event_time", "when"}}, "two columns would be called"},
           {{{"groups", {"balances"}}, {"event_time", "when"}, {"as_off", "2020"}}, "did you mean"},
           {{{"groups", {{{"group", "balances"}, {"max_age", "old"}}}}, {"event_time", "when"}},
            "is no age"}}) {
    const std::string given = refusal(settings);
    CHECK_MESSAGE(given.find(said) != std::string::npos, given);
  }
}
