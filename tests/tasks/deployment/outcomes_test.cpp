#include "tasks/deployment/outcomes.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "tasks/deployment/ab_test.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct RightCase {
  const char *answer, *label;
  int right;  // -1: it can't be said
};

struct Store {
  TemporaryHome home;
  SystemClock clock;
  std::string path() const { return std::string(home.path()) + "/outcomes.db"; }
  std::unique_ptr<OutcomeStore> open(OutcomeStore::Settings settings = {}) {
    return std::make_unique<OutcomeStore>(path(), clock, nullptr, settings);
  }
};

// Variants of n outcomes each, as many of them 1 as said.
std::vector<AbVariant> arms(std::uint64_t n, std::initializer_list<std::uint64_t> ones) {
  std::vector<AbVariant> variants;
  for (const std::uint64_t one : ones) {
    AbVariant variant;
    variant.name = std::string(1, static_cast<char>('a' + variants.size()));
    variant.requests = n;
    variant.outcomes = {n, static_cast<double>(one), static_cast<double>(one)};
    variants.push_back(variant);
  }
  return variants;
}

}  // namespace

TEST_CASE("Outcomes: whether a prediction was right, by every form of an answer") {
  constexpr RightCase kRight[] = {
      {"0.7\n", "1", 1},
      {"0.7", "0", 0},
      {"0.2", "0", 1},
      {"0.5", "1", 1},
      {"3\n", "3", 1},
      {"3", "2", 0},
      {"0.1,0.7,0.2", "1", 1},
      {"0.1,0.7,0.2", "2", 0},
      {"0.1,0.7", "5", -1},
      {"0.7\n0.2\n", "1", -1},
      {"spam", "spam", 1},
      {"spam", "ham", 0},
      {"", "1", -1},
      {R"({"predictions":[{"score":0.9}]})", "1", 1},
      {R"({"predictions":[{"score":[0.1,0.9]}]})", "0", 0},
      {R"({"predictions":[{"score":0.9},{"score":0.8}]})", "1", -1},
      {R"({"score":0.9}
)",
       "0", 0},
      {R"({"predictions":[{"score":0.4,"predicted_label":1}]})", "1", 1},
      {R"({"predictions":[{"closest_cluster":1}]})", "1", -1},
      {R"([{"label":["__label__spam","__label__ham"],"prob":[0.9,0.1]}])", "__label__spam", -1},
      {R"({"broken)", "1", -1},
  };
  for (const RightCase& one : kRight) {
    INFO(one.answer << " against " << one.label);
    const auto right = prediction_is_right(one.answer, one.label);
    CHECK((right ? int{*right} : -1) == one.right);
  }
}

TEST_CASE("Outcomes: JSON, JSON lines and CSV are read, and what is wrong is named") {
  const char* json =
      R"([{"InferenceId":"a","Outcome":1},{"InferenceId":"b","Label":1},{"InferenceId":"c","Outcome":true,"Label":"x"}])";
  const char* lines =
      "{\"InferenceId\":\"a\",\"Outcome\":1}\n\n{\"InferenceId\":\"b\",\"Label\":\"1\"}\r\n{\"InferenceId\":"
      "\"c\",\"Outcome\":true,\"Label\":\"x\"}\n";
  const char* csv = "label,inference_id,outcome\n,a,1\n1,b,\nx,c,1.0\n";
  for (const auto& [text, type] :
       {std::pair(json, "application/json"), std::pair(lines, ""), std::pair(csv, "text/csv")}) {
    const auto outcomes = read_outcomes(text, type);
    REQUIRE(outcomes);
    REQUIRE(outcomes->size() == 3);
    CHECK((*outcomes)[0].id == "a");
    CHECK((*outcomes)[0].value == 1);
    CHECK(!(*outcomes)[0].label);
    CHECK((*outcomes)[1].label == "1");
    CHECK(!(*outcomes)[1].value);
    CHECK((*outcomes)[2].value == 1);
    CHECK((*outcomes)[2].label == "x");
  }
  const std::pair<const char*, const char*> wrong[] = {
      {"", "no outcomes"},
      {"[]", "no outcomes"},
      {"{\"InferenceId\":\"a\",\"Outcome\":1}\n{\"InferenceId\":\"b\"}", "outcome 2: there is neither"},
      {"{\"Outcome\":1}", "InferenceId is missing"},
      {"{\"InferenceId\":\"a\",\"Outcome\":\"x\"}", "neither a number"},
      {"{\"InferenceId\":", "outcome 1"},
      {"3", "is no object"}};
  for (const auto& [text, says] : wrong) {
    INFO(text);
    const auto outcomes = read_outcomes(text, "application/jsonlines");
    REQUIRE(!outcomes);
    CHECK(outcomes.error().message.find(says) != std::string::npos);
  }
  CHECK(read_outcomes("id,outcome\na,1", "text/csv").error().message.find("inference_id") !=
        std::string::npos);
  CHECK(read_outcomes("inference_id,outcome\na,x", "text/csv").error().message.find("\"x\" is no number") !=
        std::string::npos);
  CHECK(read_outcomes("inference_id,outcome\na", "text/csv").error().message.find("has 1 cells") !=
        std::string::npos);
}

TEST_CASE("Outcomes: joined with their requests, once each, and there after a restart") {
  Store s;
  {
    const auto store = s.open();
    CHECK(store->of("e")->empty());
    CHECK(store->add("e", {{"x", 1.0, {}}})->unknown == std::vector<std::string>{"x"});
    CHECK(!std::filesystem::exists(s.path()));
    store->note({"e", "1", "c1", "v", "0.9"});
    store->note({"e", "2", "c1", "v", "0.9"});
    store->note({"e", "3", "c1", "w", "0.1"});
    store->note({"f", "3", "c1", "w", "0.1"});
    store->note({"e", "2", "c1", "w", "0.1"});  // an id that was used
    store->note({"e", std::string(65, 'x'), "c1", "w", ""});
    const auto taken = store->add("e", {{"1", 5.0, {}}, {"2", {}, "0"}, {"4", 1.0, {}}, {"1", 7.0, {}}});
    REQUIRE(taken);
    CHECK(taken->accepted == 3);
    CHECK(taken->unknown == std::vector<std::string>{"4"});
  }
  const auto store = s.open();
  const auto arms_now = store->of("e");
  REQUIRE(arms_now);
  REQUIRE(arms_now->size() == 2);
  const OutcomesOfVariant& v = (*arms_now)[0];
  CHECK(v.variant == "v");
  CHECK(v.requests == 2);
  CHECK(v.outcomes.n == 2);
  CHECK(v.outcomes.sum == 7);  // the last word of 1, and 0 for the wrong prediction of 2
  CHECK(v.outcomes.squares == 49);
  CHECK(v.judged == 1);
  CHECK(v.right == 0);
  CHECK((*arms_now)[1].requests == 1);
  CHECK((*arms_now)[1].outcomes.n == 0);
  store->note({"e", "1", "c2", "v", ""});  // another fleet: it begins anew
  CHECK(store->add("e", {{"1", 1.0, {}}})->accepted == 1);
  CHECK(store->of("e")->size() == 3);
}

TEST_CASE("Outcomes: only the newest requests are kept, and what waits has a limit") {
  Store s;
  OutcomeStore::Settings settings;
  settings.rows_max = 10;
  settings.queue_max = 20;
  settings.interval = Millis(60'000);
  const auto store = s.open(settings);
  for (int i = 0; i < 30; ++i) store->note({"e", std::to_string(i), "c", "v", ""});
  CHECK(store->add("e", {{"9", 1.0, {}}, {"10", 1.0, {}}, {"19", 1.0, {}}, {"20", 1.0, {}}})->accepted == 2);
  CHECK(store->of("e")->front().requests == 10);
}

TEST_CASE("A/B test: verdicts") {
  const auto verdict = [](std::vector<AbVariant> variants, AbSettings settings = {}) {
    const auto result = compare_variants(std::move(variants), settings);
    REQUIRE(result);
    std::string text = result->verdict + (result->winner.empty() ? "" : " " + result->winner);
    for (const AbVariant& variant : result->variants) text += "; " + variant.name + " " + variant.verdict;
    return text;
  };
  CHECK(verdict(arms(10, {0, 10})) == "Undecided; a Control; b Undecided");
  CHECK(verdict(arms(1000, {100, 110})) == "Undecided; a Control; b Undecided");
  CHECK(verdict(arms(1000, {100, 200})) == "Winner b; a Control; b Better");
  CHECK(verdict(arms(1000, {200, 100})) == "Winner a; a Control; b Worse");
  CHECK(verdict(arms(1000, {100, 110, 300})) == "Winner c; a Control; b Undecided; c Better");
  CHECK(verdict(arms(1000, {100, 290, 300})) == "Undecided; a Control; b Better; c Better");
  AbSettings lower;
  lower.lower_is_better = true;
  CHECK(verdict(arms(1000, {100, 200}), lower) == "Winner a; a Control; b Worse");
  AbSettings margin;
  margin.margin = 0.05;
  CHECK(verdict(arms(100'000, {10'000, 10'100}), margin) == "Equal; a Control; b Equal");
  AbSettings control;
  control.control = "b";
  CHECK(verdict(arms(1000, {100, 200}), control) == "Winner b; b Control; a Worse");
  control.control = "z";
  CHECK(!compare_variants(arms(1000, {100, 200}), control));
  CHECK(!compare_variants(arms(1000, {100}), {}));
  // Only conversions are reported: the requests are what they are a part of.
  std::vector<AbVariant> conversions = arms(1000, {1000, 1000});
  conversions[0].outcomes = {50, 50, 50};
  conversions[1].outcomes = {150, 150, 150};
  CHECK(verdict(conversions) == "Undecided; a Control; b Undecided");
  AbSettings zero;
  zero.missing_is_zero = true;
  CHECK(verdict(conversions, zero) == "Winner b; a Control; b Better");
  const Json json = to_json(*compare_variants(arms(1000, {100, 200}), {}));
  CHECK(json["Winner"] == "b");
  CHECK(json["Variants"][1]["Difference"].get<double>() == doctest::Approx(0.1));
  CHECK(json["Variants"][1]["Interval"][0].get<double>() > 0);
  CHECK(json["Variants"][1]["PValue"].get<double>() < 0.05);
  CHECK(!json["Variants"][0].contains("Difference"));
}
