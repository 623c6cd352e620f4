// What to ask about, how sure is sure enough, and the lines of manifests.

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/labelling/label_apply.h"
#include "tasks/labelling/label_job.h"
#include "tasks/labelling/label_select.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

double unsure(AskStrategy strategy, const std::vector<std::vector<float>>& members) {
  const std::vector<std::span<const float>> spans(members.begin(), members.end());
  return unsureness(strategy, spans);
}

}  // namespace

TEST_CASE("Active learning: measures of being unsure, by hand") {
  CHECK(unsure(AskStrategy::LeastConfidence, {{0.5f, 0.5f}}) == doctest::Approx(1));
  CHECK(unsure(AskStrategy::LeastConfidence, {{0.7f, 0.2f, 0.1f}}) == doctest::Approx(0.3 * 3 / 2));
  CHECK(unsure(AskStrategy::Margin, {{0.7f, 0.2f, 0.1f}}) == doctest::Approx(0.5));
  CHECK(unsure(AskStrategy::Entropy, {{0.25f, 0.25f, 0.25f, 0.25f}}) == doctest::Approx(1));
  CHECK(unsure(AskStrategy::Entropy, {{0.5f, 0.5f, 0.0f, 0.0f}}) == doctest::Approx(0.5));
  for (const AskStrategy strategy : {AskStrategy::LeastConfidence, AskStrategy::Margin, AskStrategy::Entropy})
    CHECK(unsure(strategy, {{1.0f, 0.0f}}) == doctest::Approx(0));
  // A committee that agrees tells nothing, however unsure its members are; one that is split tells most.
  CHECK(unsure(AskStrategy::Committee, {{0.5f, 0.5f}, {0.5f, 0.5f}}) == doctest::Approx(0));
  CHECK(unsure(AskStrategy::Committee, {{1.0f, 0.0f}, {0.0f, 1.0f}}) == doctest::Approx(1));
}

TEST_CASE("Active learning: the most unsure rows, unlike each other when that is asked for") {
  const std::vector<double> scores = {0.2, 0.9, 0.89, 0.5, 0.1};
  CHECK(choose_rows(scores, nullptr, 3) == std::vector<std::size_t>{1, 2, 3});
  CHECK(choose_rows(scores, nullptr, 99).size() == 5);
  Matrix features(5, 2);  // rows 1 and 2 are the same
  const float values[5][2] = {{1, 0}, {0, 1}, {0, 1}, {1, 0}, {1, 0}};
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t c = 0; c < 2; ++c) features.at(i, c) = values[i][c];
  CHECK(choose_rows(scores, &features, 2) == std::vector<std::size_t>{1, 3});
  CHECK(choose_rows(scores, &features, 5).size() == 5);
}

TEST_CASE("Auto-labels: the threshold is the lowest that keeps the precision") {
  using Rows = std::vector<std::pair<double, bool>>;
  const Rows rows = {{0.9, true}, {0.8, true}, {0.7, false}, {0.6, true}, {0.6, true}, {0.5, false}};
  const auto chosen = choose_class_threshold(rows, 0.8, 1);
  REQUIRE(chosen);
  CHECK(chosen->confidence == 0.6);
  CHECK(chosen->rows == 5);
  CHECK(chosen->precision == doctest::Approx(0.8));
  CHECK(choose_class_threshold(rows, 1.0, 1)->confidence == 0.8);
  CHECK(!choose_class_threshold(rows, 1.0, 3));
  CHECK(!choose_class_threshold(Rows{}, 0.5, 1));
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    Rows drawn;
    for (std::uint64_t i = 0, n = random.below(40); i < n; ++i)
      drawn.emplace_back(static_cast<double>(random.below(12)) / 12, random.below(3) > 0);
    const double target = 0.5 + 0.5 * random.uniform();
    const std::size_t least = 1 + random.below(5);
    // Every threshold there is, tried.
    std::optional<double> best;
    for (const auto& [threshold, ignored] : drawn) {
      double right = 0, all = 0;
      for (const auto& [confidence, correct] : drawn)
        if (confidence >= threshold) ++all, right += correct;
      if (all >= static_cast<double>(least) && right / all >= target && (!best || threshold < *best))
        best = threshold;
    }
    const auto given = choose_class_threshold(drawn, target, least);
    CHECK(given.has_value() == best.has_value());
    if (given && best) CHECK(given->confidence == *best);
  }
}

TEST_CASE("Labelling: a labelled object is the object, its class and where it is from") {
  LabelJob job;
  job.name = "pets", job.attribute = "kind", job.categories = {"cat", "dog"};
  LabelVotes votes;
  votes.by_category = {{0, 1}, {1, 2}};
  votes.newest_ms = 1'763'708'356'123;
  const Payload object = Payload::literal(R"({"source":"woof","kind":7,"row":1.10})");
  CHECK(
      labelled_line(job, object.view(), votes) ==
      R"({"source":"woof","row":1.10,"kind":1,"kind-metadata":{"class-name":"dog","job-name":"labeling-job/pets",)"
      R"("confidence":0.6666666666666666,"type":"groundtruth/text-classification","human-annotated":"yes",)"
      R"("creation-date":"2025-11-21T06:59:16.123"}})");
  votes.by_category = {{0, 1}, {1, 1}};
  CHECK(labelled_line(job, Payload::literal(R"({"source-ref":"s3://b/1.png"})").view(), votes)
            .find("\"class-name\":\"cat\"") != std::string::npos);
}

TEST_CASE("Labelling: what is no manifest is refused with its place") {
  TestContext context;
  const auto refusal = [&](const std::string& text) {
    REQUIRE(context.objects().write("s3://b/m", text));
    const auto lines = read_label_manifest(context.objects(), "s3://b/m");
    return lines ? std::to_string(lines->size()) + " objects" : lines.error().message;
  };
  CHECK(refusal("{\"source\":\"a\"}\n\n{\"source-ref\":\"s3://b/1\"}") == "2 objects");
  CHECK(refusal("{\"source\":\"a\"}\n{\"text\":\"b\"}\n") ==
        "s3://b/m:2: expected an object with \"source\" or \"source-ref\"");
  CHECK(refusal("{\"source\":").starts_with("s3://b/m:1: "));
  CHECK(refusal("\n") == "s3://b/m has no objects to label");
}

TEST_CASE("label-select and label-apply: without a model, and settings that don't fit") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/pool.csv", "id,text\na,one\nb,two\nc,three\nd,four\n"));
  REQUIRE(
      context.objects().write("s3://b/labels/x.manifest",
                              R"({"source":"two","id":"b","label":1,"label-metadata":{"class-name":"even"}})"
                              "\n"
                              R"({"source":"three","id":"c","label":0,"label-metadata":{"class-name":"odd"}})"
                              "\n"));
  ProcessingInputs inputs;
  inputs.inputs = {{"pool", "s3://b/pool.csv"}, {"labels", "s3://b/labels/"}};
  inputs.outputs = {{"ask", "s3://b/ask"}, {"labelled", "s3://b/labelled"}, {"open", "s3://b/open"}};
  inputs.settings = {{"count", 5}, {"text_column", "text"}, {"id_column", "id"}};
  auto done = run_label_select(inputs, context);
  REQUIRE_MESSAGE(done, (done ? "" : done.error().message));
  CHECK((*done)["open_rows"] == 2);
  const std::string asked = *context.objects().read("s3://b/ask/ask.manifest");
  CHECK(asked.find("{\"source\":\"one\",\"id\":\"a\"}\n") != std::string::npos);
  CHECK(asked.find("{\"source\":\"four\",\"id\":\"d\"}\n") != std::string::npos);
  inputs.settings = {{"id_column", "id"}};
  done = run_label_apply(inputs, context);
  REQUIRE_MESSAGE(done, (done ? "" : done.error().message));
  CHECK(*context.objects().read("s3://b/labelled/data.csv") == "id,text,label\nb,two,even\nc,three,odd\n");
  CHECK(*context.objects().read("s3://b/labelled/_labels.csv") ==
        "id,label,label_source,confidence\nb,even,human,1\nc,odd,human,1\n");
  CHECK(*context.objects().read("s3://b/open/data.csv") == "id,text\na,one\nd,four\n");
  const auto refusal = [&](const Json& settings) {
    inputs.settings = settings;
    const Status status = check_label_select(inputs);
    return status ? std::string("accepted") : status.error().message;
  };
  CHECK(refusal({{"strategy", "margin"}}) == "strategy: margin needs an input named \"model\"");
  CHECK(refusal({{"count", 0}}) == "count: must be from 1 to 10000");
  CHECK(refusal({{"stategy", "margin"}}).find("did you mean \"strategy\"?") != std::string::npos);
}
