#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/processing/processors.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Result<Json> run_monitor_on(TestContext& context, std::vector<NamedUri> inputs, const char* output,
                            const std::string& settings = "{}") {
  ProcessingInputs request;
  request.inputs = std::move(inputs);
  request.outputs = {{"out", output}};
  request.settings = Json::parse(settings);
  return find_processor("monitor")->run(request, context);
}

struct Change {
  double shift = 0, missing = 0;
  bool new_category = false, text_in_age = false, without_city = false, extra = false, negative = false;
};

std::string monitored_customers(int rows, std::uint64_t seed, const Change& change) {
  Random random(seed);
  std::string csv =
      std::string("age,income") + (change.without_city ? "" : ",city") + (change.extra ? ",extra\n" : "\n");
  for (int i = 0; i < rows; ++i) {
    const std::string age = change.text_in_age && i % 10 == 0 ? "old" : std::to_string(20 + random.below(50));
    const double income = 50 + 10 * random.normal() + change.shift;
    csv += age + ",";
    csv += random.uniform() < change.missing ? "" : std::to_string(change.negative && i == 7 ? -1 : income);
    const char* cities[] = {"Rome", "Oslo", "Bonn", "Lima"};
    if (!change.without_city)
      csv += std::string(",") + (change.new_category && i % 50 == 0 ? "Paris" : cities[random.below(4)]);
    csv += change.extra ? ",1\n" : "\n";
  }
  return csv;
}

// "feature: check" of every violation.
std::set<std::string> found(const Json& summary) {
  std::set<std::string> out;
  for (const Json& v : summary["violations"])
    out.insert(v["feature_name"].get<std::string>() + ": " + v["constraint_check_type"].get<std::string>());
  return out;
}

}  // namespace

TEST_CASE("monitor: a baseline, data like it, and every way of differing from it") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/train.csv", monitored_customers(5000, 1, {})));
  auto baseline = run_monitor_on(context, {{"dataset", "s3://b/train.csv"}}, "s3://b/baseline");
  REQUIRE_MESSAGE(baseline.has_value(), baseline.error().message);
  const Json constraints = Json::parse(*context.objects().read("s3://b/baseline/constraints.json"));
  CHECK(constraints["features"][0]["inferred_type"] == "Integral");
  CHECK(constraints["features"][1]["inferred_type"] == "Fractional");
  CHECK(constraints["features"][1]["num_constraints"]["is_non_negative"] == true);
  CHECK(constraints["features"][2]["string_constraints"]["domains"] ==
        Json({"Bonn", "Lima", "Oslo", "Rome"}));
  CHECK(constraints["monitoring_config"]["distribution_constraints"]["comparison_method"] == "Robust");
  const Json statistics = Json::parse(*context.objects().read("s3://b/baseline/statistics.json"));
  CHECK(statistics["dataset"]["item_count"] == 5000);
  const Json& income = statistics["features"][1]["numerical_statistics"];
  CHECK(income["common"]["num_present"] == 5000);
  CHECK(income["mean"].get<double>() == doctest::Approx(50).epsilon(0.02));
  CHECK(income["std_dev"].get<double>() == doctest::Approx(10).epsilon(0.05));
  CHECK(income["distribution"]["kll"]["buckets"].size() == 10);
  const Json& city = statistics["features"][2]["string_statistics"];
  CHECK(city["distinct_count"] == 4);

  const auto check = [&](const Change& change, const char* settings = "{}") {
    REQUIRE(context.objects().write("s3://b/new.csv", monitored_customers(3000, 2, change)));
    auto result = run_monitor_on(context, {{"dataset", "s3://b/new.csv"}, {"baseline", "s3://b/baseline"}},
                                 "s3://b/check", settings);
    REQUIRE_MESSAGE(result.has_value(), result.error().message);
    CHECK((*result)["violation_count"] == (*result)["violations"].size());
    return found(*result);
  };
  using Set = std::set<std::string>;
  CHECK(check({}) == Set{});
  CHECK(check({.shift = 10}) == Set{"income: baseline_drift_check"});
  CHECK(check({.missing = 0.05}) == Set{"income: completeness_check"});
  CHECK(check({.new_category = true}) == Set{"city: categorical_values_check"});
  CHECK(check({.text_in_age = true}) == Set{"age: data_type_check"});
  CHECK(check({.without_city = true, .extra = true}) ==
        Set{"city: missing_column_check", "extra: extra_column_check"});
  CHECK(check({.negative = true}) == Set{"income: non_negative_check"});
  const char* strict =
      R"({"monitoring_config": {"distribution_constraints": {"comparison_method": "Simple", "comparison_threshold": 0.001}}})";
  CHECK(check({}, strict) ==
        Set{"age: baseline_drift_check", "income: baseline_drift_check", "city: baseline_drift_check"});
  const char* lenient =
      R"({"monitoring_config": {"datatype_check_threshold": 0.8, "domain_content_threshold": 0.9}})";
  CHECK(check({.new_category = true, .text_in_age = true}, lenient) == Set{});
  CHECK(check({.shift = 99, .extra = true},
              R"({"monitoring_config": {"evaluate_constraints": "Disabled"}})") == Set{});
  const Json drift = Json::parse(*context.objects().read("s3://b/check/drift.json"));
  CHECK(drift["features"]["income"]["ks"] == 1);
  CHECK(drift["features"]["income"]["mean_shift"].get<double>() == doctest::Approx(9.9).epsilon(0.1));
  CHECK(drift["features"]["city"]["chi2_p"].get<double>() > 1e-6);
}

TEST_CASE("monitor: a feature's own monitoringConfigOverrides count for it alone") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/train.csv", monitored_customers(3000, 1, {})));
  REQUIRE(run_monitor_on(context, {{"dataset", "s3://b/train.csv"}}, "s3://b/baseline"));
  Json constraints = Json::parse(*context.objects().read("s3://b/baseline/constraints.json"));
  constraints["features"][1]["monitoringConfigOverrides"] =
      Json::parse(R"({"distribution_constraints": {"comparison_threshold": 0.9}})");
  REQUIRE(context.objects().write("s3://b/own/constraints.json", constraints.dump()));
  REQUIRE(context.objects().write("s3://b/new.csv", monitored_customers(3000, 2, {.shift = 10})));
  auto result = run_monitor_on(context,
                               {{"dataset", "s3://b/new.csv"},
                                {"constraints", "s3://b/own/constraints.json"},
                                {"statistics", "s3://b/baseline/statistics.json"}},
                               "s3://b/check");
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  CHECK(found(*result).empty());
}

TEST_CASE("monitor: the quality of a model, against a baseline of it") {
  TestContext context;
  const auto write = [&](const char* uri, std::uint64_t seed, double noise) {
    Random random(seed);
    std::string csv = "truth,guess,p\n";
    for (int i = 0; i < 2000; ++i) {
      const double x = random.normal(), p = 1 / (1 + std::exp(-2 * (x + noise * random.normal())));
      csv += std::string(x > 0 ? "yes" : "no") + (p > 0.5 ? ",yes," : ",no,") + std::to_string(p) + "\n";
    }
    REQUIRE(context.objects().write(uri, csv));
  };
  write("s3://b/good.csv", 1, 0.3);
  write("s3://b/bad.csv", 2, 1.5);
  const char* by_score =
      R"({"problem_type": "BinaryClassification", "ground_truth_attribute": "truth", "probability_attribute": "p"})";
  const char* by_class =
      R"({"problem_type": "MulticlassClassification", "ground_truth_attribute": "truth", "inference_attribute": "guess"})";
  for (const char* settings : {by_score, by_class}) {
    CAPTURE(settings);
    auto baseline = run_monitor_on(context, {{"dataset", "s3://b/good.csv"}}, "s3://b/q", settings);
    REQUIRE_MESSAGE(baseline.has_value(), baseline.error().message);
    auto same = run_monitor_on(context, {{"dataset", "s3://b/good.csv"}, {"baseline", "s3://b/q"}},
                               "s3://b/q2", settings);
    REQUIRE_MESSAGE(same.has_value(), same.error().message);
    CHECK((*same)["violation_count"] == 0);
    auto worse = run_monitor_on(context, {{"dataset", "s3://b/bad.csv"}, {"baseline", "s3://b/q"}},
                                "s3://b/q3", settings);
    REQUIRE_MESSAGE(worse.has_value(), worse.error().message);
    std::set<std::string> names;
    for (const Json& v : (*worse)["violations"]) names.insert(v["metric_name"].get<std::string>());
    CHECK(names.contains("accuracy"));
    CHECK(names.contains("auc") == (settings == by_score));
    CHECK(names.contains("logloss") == (settings == by_score));
    CHECK((*worse)["violations"][0]["constraint_check_type"] == "LessThanThreshold");
  }
}

TEST_CASE("monitor: wrong files and settings") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/new.csv", monitored_customers(100, 1, {})));
  REQUIRE(context.objects().write("s3://b/bad/constraints.json", R"({"features": [{"name": 3}]})"));
  const auto message = [&](std::vector<NamedUri> inputs, const char* settings) {
    auto result = run_monitor_on(context, std::move(inputs), "s3://b/out", settings);
    REQUIRE(!result);
    return result.error().message;
  };
  const NamedUri data{"dataset", "s3://b/new.csv"};
  CHECK(message({data, {"baseline", "s3://b/bad"}}, "{}") ==
        "features[0].name: expected a string, got the number 3");
  CHECK(message({data, {"basline", "s3://b/bad"}}, "{}") ==
        "ProcessingInputs: monitor has no input \"basline\"; did you mean \"baseline\"?");
  CHECK(message({data}, R"({"monitoring_config": {"distribution_constraints": {"comparison_threshold": 2}}})")
            .find("comparison_threshold: must be between 0 and 1") != std::string::npos);
  CHECK(message({data}, R"({"problem_type": "Binary"})").find("problem_type") == 0);
  context.cancel = true;
  auto stopped = run_monitor_on(context, {data}, "s3://b/out");
  REQUIRE(!stopped);
  CHECK(stopped.error().code == ErrorCode::Cancelled);
}
