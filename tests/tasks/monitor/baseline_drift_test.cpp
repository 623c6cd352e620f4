#include "tasks/monitor/baseline_drift.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json shap(const char* values) {
  return {{"explanations", {{"kernel_shap", {{"label0", {{"global_shap_values", Json::parse(values)}}}}}}}};
}

double ndcg(const char* before, const char* now) {
  const auto drift = attribution_drift(shap(before), shap(now));
  REQUIRE(drift);
  return drift->at(0).ndcg;
}

Json bias(const char* metrics) {
  return {{"post_training_bias_metrics",
           {{"facets",
             {{"sex", Json::array({{{"value_or_threshold", "F"}, {"metrics", Json::parse(metrics)}}})}}}}}};
}

}  // namespace

TEST_CASE("Attribution drift: the discounted gain of the ranking, by hand") {
  CHECK(ndcg(R"({"a": 3, "b": 2, "c": 1})", R"({"a": 30, "b": 20, "c": 10})") == 1);
  // Now c, a, b: 1/log2(2) + 3/log2(3) + 2/log2(4), of 3/log2(2) + 2/log2(3) + 1/log2(4).
  const double log3 = std::log2(3.0);
  CHECK(ndcg(R"({"a": 3, "b": 2, "c": 1})", R"({"a": 2, "b": 1, "c": 9})") ==
        doctest::Approx((1 + 3 / log3 + 1) / (3 + 2 / log3 + 0.5)));
  // Signs don't count; a feature that only one side has is left out.
  CHECK(ndcg(R"({"a": -3, "b": 2, "old": 9})", R"({"a": 3, "b": -2, "new": 9})") == 1);
  CHECK(ndcg(R"({"a": 0, "b": 0})", R"({"a": 1, "b": 2})") == 1);
  CHECK(!attribution_drift(shap(R"({"a": 1})"), shap(R"({"b": 1})")));
  CHECK(!attribution_drift(Json::object(), shap(R"({"b": 1})")));
}

TEST_CASE("Attribution drift: below the threshold is a violation in Model Monitor's words") {
  const auto drift =
      attribution_drift(shap(R"({"a": 9, "b": 1, "c": 0})"), shap(R"({"a": 0, "b": 1, "c": 9})"));
  const Json found = attribution_violations(*drift, kAttributionThreshold);
  REQUIRE(found["violations"].size() == 1);
  CHECK(found["violations"][0]["constraint_check_type"] == "feature_attribution_drift_check");
  CHECK(
      found["violations"][0]["description"].get<std::string>().starts_with("Feature attribution drift 0.5"));
  CHECK(attribution_violations(*drift, 0.1)["violations"].empty());
}

TEST_CASE("Bias drift: a metric may move towards no bias, not away from it, and not by chance alone") {
  const Json before = bias(R"([{"name": "DPPL", "value": 0.1}, {"name": "DI", "value": 0.8}])");
  struct Row {
    const char* now;
    std::vector<std::string> violated;
  };
  const Row kRows[] = {
      {R"([{"name": "DPPL", "value": 0.05}, {"name": "DI", "value": 0.9}])", {}},
      {R"([{"name": "DPPL", "value": 0.2}, {"name": "DI", "value": 0.7}])", {"DPPL", "DI"}},
      {R"([{"name": "DPPL", "value": 0.2, "lower": 0.09, "upper": 0.3}, {"name": "DI", "value": 0.7, "lower": 0.6, "upper": 0.81}])",
       {}},
      {R"([{"name": "DPPL", "value": -0.2, "lower": -0.3, "upper": -0.1}, {"name": "DI", "value": 1.3}])",
       {"DPPL", "DI"}},
      {R"([{"name": "DPPL", "value": null, "error": "no"}, {"name": "DI", "value": "Infinity"}])", {}}};
  for (const Row& row : kRows) {
    CAPTURE(row.now);
    const auto drift = bias_drift(before, bias(row.now));
    REQUIRE(drift);
    std::vector<std::string> violated;
    for (const BiasDrift& entry : *drift)
      if (entry.violated) violated.push_back(entry.metric);
    std::sort(violated.rbegin(), violated.rend());
    CHECK(violated == row.violated);
  }
  CHECK(!bias_drift(Json::object(), before));
}
