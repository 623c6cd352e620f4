// Tables as people have them: AutoML jobs over each, and what they say of it.

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kCreateOdd = "sagemaker:createAutoMLJobV2.sync";

struct OddTables {
  TemporaryHome home;
  TaskDriver driver{home.path()};
  int count = 0;

  // The text of the job's document, or of its failure.
  std::string run(const std::string& csv, Json more = Json::object(), const std::string& target = "y",
                  const char* algorithm = "xgboost") {
    const std::string name = "odd-" + std::to_string(++count);
    home.write("objects/b/" + name + "/rows.csv", csv);
    Json config = {{"TargetAttributeName", target},
                   {"Mode", "ENSEMBLING"},
                   {"CompletionCriteria", {{"MaxCandidates", 1}}},
                   {"CandidateGenerationConfig",
                    {{"AlgorithmsConfig", Json::array({{{"AutoMLAlgorithms", {algorithm}}}})}}}};
    config.update(more);
    const Json request = {
        {"AutoMLJobName", name},
        {"AutoMLJobInputDataConfig",
         Json::array({{{"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/" + name + "/"}}}}}}})},
        {"AutoMLProblemTypeConfig", {{"TabularJobConfig", config}}},
        {"OutputDataConfig", {{"S3OutputPath", "s3://b/out"}}}};
    return driver.run(kCreateOdd, request.dump());
  }
  Json completed(const std::string& csv, Json more = Json::object(), const std::string& target = "y",
                 const char* algorithm = "xgboost") {
    const std::string text = run(csv, std::move(more), target, algorithm);
    INFO(text);
    const Json job = Json::parse(text, nullptr, false);
    REQUIRE(job.is_object());
    CHECK(job["AutoMLJobStatus"] == "Completed");
    return job;
  }
  std::string report() {
    return home.read("objects/b/out/odd-" + std::to_string(count) + "/data_exploration.html");
  }
  Json steps() {
    const Json workflow =
        parse(home.read("objects/b/out/odd-" + std::to_string(count) + "/workflow.asl.json"));
    return parse(
        workflow["States"]["Prepare"]["Parameters"]["Environment"]["SETTINGS"].get<std::string>())["steps"];
  }
};

double value_of(const Json& job) {
  return job["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"];
}

bool has_step(const Json& steps, const std::string& step, const std::string& column) {
  for (const Json& one : steps) {
    if (one["step"] != step) continue;
    if (one.contains("expressions") && one["expressions"].contains(column)) return true;
    for (const Json& name : one.value("columns", Json::array()))
      if (name == column) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("odd tables: text beside numbers, dates, ids, constants, numbers as people write them") {
  OddTables odd;
  Random random(1);
  const char* good[] = {"works", "nice", "quick", "happy"};
  const char* bad[] = {"broken", "slow", "sad", "noisy"};
  std::string csv = "order id,bought,price,remark,shop,note,city,y\n";
  for (int i = 0; i < 200; ++i) {
    const bool yes = random.below(2) == 1;
    std::string remark;
    for (int k = 0; k < 5; ++k)
      remark += std::string(yes ? good[random.below(4)] : bad[random.below(4)]) + " and ";
    csv += "A" + std::to_string(100000 + i * 17) + ",2026-" + std::string(i % 12 < 9 ? "0" : "") +
           std::to_string(i % 12 + 1) + "-11,\"" + std::to_string(1 + i % 9) + "," + std::to_string(100 + i) +
           ".50\",\"" + remark + "really\",only one," +
           (i % 3 == 0   ? ""
            : i % 3 == 1 ? "12"
                         : "\"n/a, lost\"") +
           ",city " + std::to_string(i % 4) + "," + (yes ? "yes" : "no") + "\n";
  }
  const Json job = odd.completed(csv);
  CHECK(value_of(job) > 0.9);
  const Json steps = odd.steps();
  CHECK(has_step(steps, "tfidf", "remark"));
  CHECK(has_step(steps, "dates", "bought"));
  CHECK(has_step(steps, "sql", "price"));
  CHECK(has_step(steps, "drop", "order id"));
  CHECK(has_step(steps, "drop", "shop"));
  CHECK(has_step(steps, "ordinal", "city"));
  const std::string report = odd.report();
  for (const char* words : {"an identifier", "every cell is the same", "numbers with separators"})
    CHECK_MESSAGE(report.find(words) != std::string::npos, words);
}

TEST_CASE("odd tables: numbers with separators are their numbers") {
  OddTables odd;
  Random random(2);
  std::string csv = "income,share,y\n";
  for (int i = 0; i < 150; ++i) {
    const int income = static_cast<int>(random.below(9000)) + 1000;
    csv += "\"$" + std::to_string(income / 1000) + "," + std::to_string(income % 1000 + 1000).substr(1) +
           "\"," + std::to_string(random.below(100)) + " %," + std::to_string(3 * income) + "\n";
  }
  const Json job = odd.completed(csv, {{"ProblemType", "Regression"}});
  const Json steps = odd.steps();
  CHECK(has_step(steps, "sql", "income"));
  CHECK(has_step(steps, "sql", "share"));
  CHECK(std::sqrt(value_of(job)) < 1500);  // of targets from 3,000 to 30,000
  // As the target they can't stay.
  std::string target = "x,y\n";
  for (int i = 0; i < 60; ++i) target += std::to_string(i) + ",\"1," + std::to_string(100 + i) + "\"\n";
  const std::string refused = odd.run(target);
  CHECK_MESSAGE(refused.find("write its numbers without separators") != std::string::npos, refused);
}

TEST_CASE("odd tables: class names, missing targets, rare classes") {
  OddTables odd;
  Random random(3);
  std::string csv = "\"a, b\",\"quo\"\"te\",\xc3\xbcml\xc3\xa4ut:x,,y z\n";
  for (int i = 0; i < 160; ++i) {
    const double x = random.normal();
    csv += std::to_string(x) + "," + std::to_string(i % 5) + "," + std::to_string(random.normal()) + "," +
           std::to_string(random.normal()) + ",";
    csv += i % 40 == 39  ? "\n"
           : i % 53 == 5 ? "\"three, rows\"\n"
           : x > 0       ? "\"yes, please\"\n"
                         : "no \"thanks\"\n";
  }
  for (const char* algorithm : {"xgboost", "linear-learner", "mlp", "extra-trees", "knn"}) {
    CAPTURE(algorithm);
    const Json job = odd.completed(csv, Json::object(), "y z", algorithm);
    CHECK(job["ResolvedAttributes"]["AutoMLProblemTypeResolvedAttributes"]["TabularResolvedAttributes"]
             ["ProblemType"] == "MulticlassClassification");
    CHECK(value_of(job) > 0.7);
  }
  CHECK(odd.report().find("4 rows have no target and are left out") != std::string::npos);
  CHECK(odd.report().find("has only") != std::string::npos);
}

TEST_CASE("odd tables: a class of very few rows among two") {
  OddTables odd;
  for (const int rare : {1, 3}) {
    for (const char* algorithm : {"xgboost", "linear-learner", "mlp", "randomforest", "knn"}) {
      CAPTURE(algorithm);
      CAPTURE(rare);
      Random random(4);
      std::string csv = "x,z,y\n";
      for (int i = 0; i < 300; ++i)
        csv += std::to_string(random.normal()) + "," + std::to_string(random.normal()) + "," +
               (i % 100 == 50 && i / 100 < rare ? "fraud" : "fine") + "\n";
      const std::string text = odd.run(csv, Json::object(), "y", algorithm);
      const Json job = Json::parse(text, nullptr, false);
      // One row can't be learnt from and be judged by.
      if (rare == 1)
        CHECK_MESSAGE(text.find("has 1 row") != std::string::npos, text);
      else
        CHECK_MESSAGE((job.is_object() && job["AutoMLJobStatus"] == "Completed"), text);
    }
  }
}

TEST_CASE("odd tables: byte order mark, CRLF, empty lines, one column, no rows") {
  OddTables odd;
  std::string csv = "\xef\xbb\xbfx,y\r\n";
  for (int i = 0; i < 80; ++i)
    csv += std::to_string(i % 17) + "," + (i % 17 > 8 ? "1" : "0") + "\r\n" + (i % 9 == 0 ? "\r\n" : "");
  CHECK(value_of(odd.completed(csv)) > 0.9);
  CHECK(has_step(odd.steps(), "drop", "x") == false);
  std::string one = "y\n";
  for (int i = 0; i < 60; ++i) one += i % 2 ? "a\n" : "b\n";
  CHECK(odd.run(one).find("no column is left to learn from") != std::string::npos);
  CHECK(odd.run("x,y\n").find("at least 20 are needed") != std::string::npos);
  CHECK(odd.run("").find("FailureReason") != std::string::npos);
  std::string twice = "x,x,y\n";
  for (int i = 0; i < 30; ++i) twice += "1,2,a\n";
  CHECK(odd.run(twice).find("two columns are named") != std::string::npos);
}

TEST_CASE("odd tables: many columns of few rows, many classes") {
  OddTables odd;
  Random random(5);
  std::string csv;
  constexpr int kColumns = 400;
  for (int c = 0; c < kColumns; ++c) csv += "c" + std::to_string(c) + ",";
  csv += "y\n";
  for (int i = 0; i < 100; ++i) {
    const bool yes = random.below(2) == 1;
    for (int c = 0; c < kColumns; ++c) csv += (c == 7 && yes ? "9" : std::to_string(random.below(7))) + ",";
    csv += yes ? "yes\n" : "no\n";
  }
  CHECK(value_of(odd.completed(csv)) > 0.9);
  csv = "x,z,y\n";
  constexpr int kClasses = 60;
  for (int i = 0; i < 480; ++i) {
    const int c = i % kClasses;
    csv += std::to_string(c / 12 + 0.1 * random.normal()) + "," +
           std::to_string(c % 12 + 0.1 * random.normal()) + ",class " + std::to_string(c) + "\n";
  }
  const Json job = odd.completed(csv, Json::object(), "y", "extra-trees");
  CHECK(value_of(job) > 0.5);
}
