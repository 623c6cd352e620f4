#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/processing/processors.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<Json> run_bias_on(TestContext& context, const std::string& csv, const std::string& settings) {
  REQUIRE(context.objects().write("s3://b/data.csv", csv));
  ProcessingInputs request;
  request.inputs = {{"dataset", "s3://b/data.csv"}};
  request.outputs = {{"out", "s3://b/bias"}};
  request.settings = Json::parse(settings);
  return find_processor("bias")->run(request, context);
}

std::string people(bool header = true) {
  Random random(4);
  std::string csv = header ? "sex,age,income,loan,decision\n" : "";
  for (int i = 0; i < 400; ++i) {
    const bool woman = random.below(3) == 0;
    const double income = 20 + 30 * random.uniform() - (woman ? 5 : 0);
    csv += std::string(woman ? "F" : "M") + "," + std::to_string(20 + random.below(50)) + "," +
           std::to_string(income) + (income > 35 ? ",yes" : ",no") + (income > 33 ? ",yes\n" : ",no\n");
  }
  return csv;
}

const Json* metric(const Json& entry, std::string_view name) {
  for (const Json& m : entry["metrics"]) {
    if (m["name"] == Json(name)) return &m;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("bias: analysis.json is Clarify's, for every value of a facet and for a threshold") {
  TestContext context;
  auto result = run_bias_on(context, people(), R"({
    "label": "loan", "label_values_or_threshold": ["yes"], "predicted_label": "decision",
    "facet": [{"name_or_index": "sex"}, {"name_or_index": 1, "value_or_threshold": [40]}],
    "group_variable": "sex", "methods": {"pre_training_bias": {"methods": "all"},
    "post_training_bias": {"methods": ["DI", "FT"]}, "report": {"name": "report"}}, "predictor": {}})");
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  const Json& before = (*result)["pre_training_bias_metrics"];
  CHECK((*result)["version"] == "1.0");
  CHECK(before["label"] == "loan");
  CHECK(before["label_value_or_threshold"] == "yes");
  REQUIRE(before["facets"]["sex"].size() == 2);
  CHECK(before["facets"]["sex"][0]["value_or_threshold"] == "F");
  CHECK(before["facets"]["age"][0]["value_or_threshold"] == "(40, 69]");
  CHECK(before["facets"]["sex"][0]["metrics"].size() == 8);
  const Json* imbalance = metric(before["facets"]["sex"][0], "CI");
  CHECK((*imbalance)["description"] == "Class Imbalance (CI)");
  CHECK((*imbalance)["value"].get<double>() ==
        -(*metric(before["facets"]["sex"][1], "CI"))["value"].get<double>());
  CHECK((*metric(before["facets"]["sex"][0], "DPL"))["value"].get<double>() > 0.1);
  const Json& after = (*result)["post_training_bias_metrics"]["facets"]["sex"][0];
  CHECK(after["metrics"].size() == 2);
  CHECK((*metric(after, "DI"))["value"].get<double>() < 1);
  CHECK(Json::parse(*context.objects().read("s3://b/bias/analysis.json")) == *result);
  CHECK(context.objects().read("s3://b/bias/report.html")->find("Class Imbalance") != std::string::npos);
}

TEST_CASE("bias: files without a header, and a metric that is not defined") {
  TestContext context;
  auto result = run_bias_on(context, people(false), R"({
    "headers": ["sex", "age", "income", "loan", "decision"], "label": 3, "label_values_or_threshold": "yes",
    "facet": {"name_or_index": "sex", "value_or_threshold": ["F"]}})");
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  const Json* disparity = metric((*result)["pre_training_bias_metrics"]["facets"]["sex"][0], "CDDL");
  CHECK((*disparity)["value"].is_null());
  CHECK((*disparity)["error"] == "there is no group_variable");
  CHECK(!result->contains("post_training_bias_metrics"));
}

TEST_CASE("bias: wrong settings name what is wrong and what is near") {
  TestContext context;
  const std::pair<const char*, const char*> cases[] = {
      {R"({"lable": "loan"})", "bias has no setting \"lable\"; did you mean \"label\"?"},
      {R"({"label": "loan"})", "label_values_or_threshold is required"},
      {R"({"label": "loan", "label_values_or_threshold": ["yes"]})", "facet is required"},
      {R"({"label": "loam", "label_values_or_threshold": ["yes"], "facet": [{"name_or_index": "sex"}]})",
       "label: there is no column \"loam\"; did you mean \"loan\"?"},
      {R"({"label": "loan", "label_values_or_threshold": ["Yes"], "facet": [{"name_or_index": "sex"}]})",
       "label_values_or_threshold: column \"loan\" is never Yes"},
      {R"({"label": "loan", "label_values_or_threshold": ["yes"], "facet": [{"name_or_index": 9}]})",
       "there is no column 9"},
      {R"({"label": "loan", "label_values_or_threshold": ["yes"], "facet": [{"name_or_index": "age"}]})",
       "facet \"age\" is continuous: value_or_threshold is required"},
      {R"({"label": "loan", "label_values_or_threshold": ["yes"], "facet": [{"name_or_index": "sex"}],
           "methods": {"pre_training_bias": {"methods": ["CJ"]}}})",
       "\"CJ\" is not a metric"},
      {R"({"label": "loan", "label_values_or_threshold": ["yes"], "facet": [{"name_or_index": "sex"}],
           "methods": {"post_training_bias": {"methods": "all"}}})",
       "post_training_bias needs an input named \"model\", predictor.model_name or predicted_label"},
  };
  for (const auto& [settings, message] : cases) {
    CAPTURE(settings);
    const auto result = run_bias_on(context, people(), settings);
    REQUIRE(!result);
    CAPTURE(result.error().message);
    CHECK(result.error().message.find(message) != std::string::npos);
    CHECK(result.error().code == ErrorCode::InvalidArgument);
  }
  context.cancel = true;
  const auto stopped = run_bias_on(
      context, people(),
      R"({"label": "loan", "label_values_or_threshold": ["yes"], "facet": [{"name_or_index": "sex"}]})");
  REQUIRE(!stopped);
  CHECK(stopped.error().code == ErrorCode::Cancelled);
}
