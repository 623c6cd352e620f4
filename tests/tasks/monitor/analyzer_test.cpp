#include "tasks/monitor/analyzer.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

std::string capture_line(const std::string& id, const std::string& input, const std::string& output) {
  const auto side = [](const std::string& data) {
    return Json{{"observedContentType", "text/csv"}, {"data", data}, {"encoding", "CSV"}};
  };
  return Json{{"captureData", {{"endpointInput", side(input)}, {"endpointOutput", side(output)}}},
              {"eventMetadata",
               {{"eventId", "e" + id}, {"inferenceId", id}, {"inferenceTime", "2026-01-02T09:10:00Z"}}},
              {"eventVersion", "0"}}
             .dump() +
         "\n";
}
std::string truth_line(const std::string& id, const std::string& label) {
  return Json{{"groundTruthData", {{"data", label}, {"encoding", "CSV"}}},
              {"eventMetadata", {{"eventId", id}}},
              {"eventVersion", "0"}}
             .dump() +
         "\n";
}

struct Monitored {
  TestContext context;

  void put(const std::string& uri, const std::string& text) { REQUIRE(context.objects().write(uri, text)); }
  Result<Json> run(const char* settings, std::vector<NamedUri> more) {
    ProcessingInputs inputs;
    inputs.inputs = std::move(more);
    inputs.inputs.push_back({"captured", "s3://b/captured/e", {}});
    inputs.outputs = {{"result", "s3://b/out", {}}};
    inputs.settings = Json::parse(settings);
    inputs.settings["start_time"] = "2026-01-02T09:00:00Z";
    inputs.settings["end_time"] = "2026-01-02T10:00:00Z";
    return run_analyzer(inputs, context);
  }
  Json written(const char* file) {
    return Json::parse(*context.objects().read(std::string("s3://b/out/") + file), nullptr, false);
  }
  void baseline(const std::string& csv) {
    put("s3://b/train.csv", csv);
    ProcessingInputs inputs;
    inputs.inputs = {{"dataset", "s3://b/train.csv", {}}};
    inputs.outputs = {{"out", "s3://b/base", {}}};
    inputs.settings = Json::object();
    REQUIRE(find_processor("monitor")->run(inputs, context));
  }
};

const std::vector<NamedUri> kBase = {{"constraints", "s3://b/base/constraints.json", {}},
                                     {"statistics", "s3://b/base/statistics.json", {}}};

}  // namespace

TEST_CASE("Analyzer: captured rows against the data's baseline, columns named by it") {
  Monitored m;
  std::string train = "age,income,bought\n", same, shifted;
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    train += std::to_string(20 + random.below(50)) + "," + std::to_string(50 + 10 * random.normal()) + ",0\n";
    const std::string id = std::to_string(i);
    const std::string age = std::to_string(20 + random.below(50));
    same += capture_line(id, age + "," + std::to_string(50 + 10 * random.normal()), "0.25");
    shifted += capture_line(id, age + "," + std::to_string(70 + 10 * random.normal()), "0.25");
  }
  m.baseline(train);
  const char* settings = R"({"analysis_type": "DATA_QUALITY", "exclude_features": ["bought"]})";
  CHECK(m.run(settings, kBase).error().message.starts_with("Job inputs had no data"));
  const std::string place = "s3://b/captured/e/AllTraffic/2026/01/02/09/10-00-000-x.jsonl";
  m.put(place, same);
  auto clean = m.run(settings, kBase);
  REQUIRE_MESSAGE(clean, (clean ? "" : clean.error().message));
  CHECK((*clean)["violation_count"] == 0);
  CHECK((*clean)["rows"] == 2000);
  CHECK(!clean->contains("exit_message"));
  m.put(place, shifted);
  auto found = m.run(settings, kBase);
  REQUIRE(found);
  CHECK((*found)["violation_count"] == 1);
  CHECK((*found)["violations"][0]["feature_name"] == "income");
  CHECK((*found)["exit_message"] == "CompletedWithViolations: Job completed successfully with 1 violations.");
  CHECK((*found)["distances"]["income"].get<double>() > 0.5);
  CHECK(m.written("constraint_violations.json")["violations"].size() == 1);
  CHECK(m.context.objects().read("s3://b/out/rows.csv")->starts_with("age,income\n"));
  // Without leaving it out the request lacks a column; SageMaker's order, the answer first, fills it.
  auto lacking = m.run(R"({"analysis_type": "DATA_QUALITY", "headers": ["age", "income"]})", kBase);
  REQUIRE(lacking);
  CHECK((*lacking)["violations"].dump().find("missing_column_check") != std::string::npos);
  m.put("s3://b/captured/e/AllTraffic/2026/01/02/09/10-00-000-x.jsonl", capture_line("1", "33,50.5", "0"));
  auto answered = m.run(R"({"analysis_type": "DATA_QUALITY", "headers": ["bought", "age", "income"]})", {});
  REQUIRE(answered);
  CHECK(*m.context.objects().read("s3://b/out/rows.csv") == "bought,age,income\n0,33,50.5\n");
}

TEST_CASE("Analyzer: model quality needs labels, and takes those that there are") {
  Monitored m;
  std::string captured, truth;
  for (int i = 0; i < 400; ++i) {
    const bool yes = i % 2 == 0, wrong = i % 10 == 9;  // 0.9 of the answers are right
    captured += capture_line(std::to_string(i), "1,2", yes != wrong ? "0.9" : "0.2");
    if (i < 300) truth += truth_line(std::to_string(i), yes ? "1" : "0");
  }
  m.put("s3://b/captured/e/v/2026/01/02/09/a.jsonl", captured);
  const char* settings = R"({"analysis_type": "MODEL_QUALITY", "problem_type": "BinaryClassification",
                             "probability_attribute": "0", "probability_threshold_attribute": 0.5})";
  const NamedUri truths{"ground_truth", "s3://b/truth", {}};
  CHECK(m.run(settings, {}).error().message.find("ground truth") != std::string::npos);
  CHECK(m.run(settings, {truths}).error().message.find("of 400 captured rows none has a ground truth") !=
        std::string::npos);
  m.put("s3://b/truth/2026/01/04/11/labels.jsonl", truth);  // two days late
  m.put("s3://b/quality/constraints.json",
        R"({"version": 0.0, "binary_classification_constraints": {
             "accuracy": {"threshold": 0.95, "comparison_operator": "LessThanThreshold"},
             "recall": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}})");
  auto found = m.run(settings, {truths, {"constraints", "s3://b/quality/constraints.json", {}}});
  REQUIRE_MESSAGE(found, (found ? "" : found.error().message));
  CHECK((*found)["captured"]["rows"] == 400);
  CHECK((*found)["captured"]["with_ground_truth"] == 300);
  CHECK((*found)["binary_classification_metrics"]["accuracy"]["value"].get<double>() == doctest::Approx(0.9));
  REQUIRE((*found)["violation_count"] == 1);
  CHECK((*found)["violations"][0]["metric_name"] == "accuracy");
}

TEST_CASE("Analyzer: bias of answers and labels against its baseline") {
  Monitored m;
  const auto captured = [](double women_yes) {
    std::string out;
    Random random(5);
    for (int i = 0; i < 1000; ++i) {
      const bool woman = i % 2 == 0;
      out += capture_line(std::to_string(i), std::string(woman ? "F" : "M") + "," + std::to_string(i % 7),
                          random.uniform() < (woman ? women_yes : 0.6) ? "0.8" : "0.3");
    }
    return out;
  };
  std::string truth;
  for (int i = 0; i < 1000; ++i) truth += truth_line(std::to_string(i), i % 3 == 0 ? "1" : "0");
  m.put("s3://b/truth/2026/01/02/09/labels.jsonl", truth);
  m.put("s3://b/config.json",
        R"({"label": "hired", "label_values_or_threshold": [1], "headers": ["sex", "years", "hired"],
      "facet": [{"name_or_index": "sex", "value_or_threshold": ["F"]}],
      "methods": {"post_training_bias": {"methods": ["DPPL", "DI"]}}})");
  const char* settings = R"({"analysis_type": "MODEL_BIAS", "probability_attribute": "0"})";
  const std::vector<NamedUri> inputs = {{"ground_truth", "s3://b/truth", {}},
                                        {"analysis", "s3://b/config.json", {}}};
  m.put("s3://b/captured/e/v/2026/01/02/09/a.jsonl", captured(0.5));
  auto first = m.run(settings, inputs);
  REQUIRE_MESSAGE(first, (first ? "" : first.error().message));
  m.put("s3://b/biasbase/analysis.json", m.written("analysis.json").dump());
  std::vector<NamedUri> checked = inputs;
  checked.push_back({"constraints", "s3://b/biasbase/analysis.json", {}});
  auto same = m.run(settings, checked);
  REQUIRE(same);
  CHECK((*same)["violation_count"] == 0);
  m.put("s3://b/captured/e/v/2026/01/02/09/a.jsonl", captured(0.2));
  auto worse = m.run(settings, checked);
  REQUIRE(worse);
  CHECK((*worse)["violation_count"] == 2);
  CHECK((*worse)["violations"][0]["constraint_check_type"] == "bias_drift_check");
  CHECK((*worse)["rows"] == 1000);
  CHECK(m.context.objects().read("s3://b/out/analysis_report.html"));
  CHECK(m.context.objects().read("s3://b/out/report.html")->find("Bias against its baseline") !=
        std::string::npos);
}

TEST_CASE("Analyzer: settings that do not exist or are missing are refused") {
  Monitored m;
  const std::pair<const char*, const char*> kCases[] = {
      {R"({})", "analysis_type"},
      {R"({"analysis_type": "MOOD"})", "analysis_type"},
      {R"({"analysis_type": "MODEL_QUALITY"})", "problem_type"},
      {R"({"analysis_type": "DATA_QUALITY", "rows": 3})", "rows"},
      {R"({"analysis_type": "MODEL_BIAS"})", "ground truth"}};
  for (const auto& [settings, word] : kCases) {
    CAPTURE(settings);
    const auto run = m.run(settings, {});
    REQUIRE(!run);
    CHECK(run.error().message.find(word) != std::string::npos);
  }
}
