// Feature groups and records by data: tests/cases/features/*.json, as Task states call them. {"group": NAME,
// …} in a request is a whole definition, its other members (null: none) in place of the usual ones; {"put":
// [GROUP, id, at, age], …} a record of it.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/features/feature_service.h"
#include "tests/support/cases.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json feature_request(const Json& given) {
  Json request = given;
  if (given.contains("group")) {
    request = {{"FeatureGroupName", given["group"]},
               {"RecordIdentifierFeatureName", "id"},
               {"EventTimeFeatureName", "at"},
               {"FeatureDefinitions",
                {{{"FeatureName", "id"}, {"FeatureType", "String"}},
                 {{"FeatureName", "at"}, {"FeatureType", "Fractional"}},
                 {{"FeatureName", "age"}, {"FeatureType", "Integral"}}}},
               {"OnlineStoreConfig", {{"EnableOnlineStore", true}}},
               {"OfflineStoreConfig", {{"S3StorageConfig", {{"S3Uri", "s3://store/features"}}}}}};
    for (const auto& [key, value] : given.items()) {
      if (key == "group") continue;
      value.is_null() ? void(request.erase(key)) : void(request[key] = value);
    }
  }
  if (given.contains("put")) {
    request.erase("put");
    request["FeatureGroupName"] = given["put"][0];
    request["Record"] = Json::array();
    const char* names[] = {"id", "at", "age"};
    for (std::size_t i = 0; i < 3; ++i)
      request["Record"].push_back({{"FeatureName", names[i]}, {"ValueAsString", given["put"][i + 1]}});
  }
  return request;
}

bool fits_answer(const Json& expected, const Json& given) {
  if (expected == "*") return true;
  if (expected.is_object()) {
    if (!given.is_object() || expected.size() != given.size()) return false;
    for (const auto& [key, value] : expected.items())
      if (!given.contains(key) || !fits_answer(value, given[key])) return false;
    return true;
  }
  if (!expected.is_array()) return expected == given;
  if (!given.is_array() || expected.size() != given.size()) return false;
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!fits_answer(expected[i], given[i])) return false;
  return true;
}

bool fits_error(std::string expected, const std::string& given) {
  if (!expected.ends_with('*')) return given.substr(0, given.find(" (Service:")) == expected;
  expected.pop_back();
  return given.starts_with(expected);
}

void run_feature_case(const Json& one) {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  REQUIRE(driver.runner);
  for (const Json& step : one["steps"]) {
    const std::string call = step["call"];
    const bool runtime = call.find("Record") != std::string::npos;
    const std::string operation =
        (runtime ? "aws-sdk:sagemakerfeaturestoreruntime:" : "aws-sdk:sagemaker:") + call;
    const std::string given =
        driver.run(operation, feature_request(step.value("request", Json::object())).dump());
    CAPTURE(step.dump());
    CAPTURE(given);
    if (step.contains("error")) {
      CHECK(fits_error(step["error"], given));
      continue;
    }
    const Json answer = Json::parse(given, nullptr, false);
    REQUIRE(!answer.is_discarded());
    if (step.contains("answer")) CHECK(fits_answer(step["answer"], answer));
  }
}

}  // namespace

TEST_CASE("Features: the cases of tests/cases/features") {
  int count = 0;
  for (const Json& one : tests::cases_of("features")) {
    SUBCASE(one["name"].get<std::string>().c_str()) {
      run_feature_case(one);
    }
    ++count;
  }
  CHECK(count >= 12);
}
