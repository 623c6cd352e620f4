// Paths, ResultPath, templates, intrinsic functions and choice rules by the cases of tests/cases, and what
// cases can not say: limits on work, the same seed giving the same numbers, what a document looks like after
// many puts.

#include <doctest/doctest.h>

#include <set>

#include "base/random.h"
#include "definitions/choice_rule.h"
#include "definitions/intrinsics/intrinsic.h"
#include "definitions/jsonpath/path.h"
#include "definitions/jsonpath/reference_path.h"
#include "definitions/payload_template.h"
#include "tests/definitions/expression_support.h"
#include "tests/support/cases.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

tests::GivenScope scope_of(const Json& c, const char* input) {
  tests::GivenScope given;
  if (c.contains(input)) given.input = to_payload(c[input]);
  if (c.contains("context")) given.context.document = to_payload(c["context"]);
  const Json variables = c.value("variables", Json::object());
  for (const auto& [name, value] : variables.items()) given.variables.map.emplace(name, to_payload(value));
  return given;
}

// A case's `result`, `output` or `text` (byte for byte), or its `cause` and `error`.
void check_outcome(const Json& c, const Outcome& got, const std::string& error) {
  if (c.contains("cause")) {
    REQUIRE_MESSAGE(!got, "answers ", got->text());
    CHECK(got.error().cause == c["cause"].get<std::string>());
    CHECK(got.error().error == c.value("error", error));
    return;
  }
  REQUIRE_MESSAGE(got, got.error().cause);
  if (c.contains("text")) {
    CHECK(got->text() == c["text"].get<std::string>());
    return;
  }
  const Payload expected = to_payload(c.contains("result") ? c["result"] : c["output"]);
  CHECK_MESSAGE(*got == expected, got->text());
}

// The index of a document must be what parsing its text gives.
void check_index(const Payload& payload) {
  const auto parsed = Payload::parse(payload.text());
  REQUIRE(parsed);
  const auto &got = payload.document()->nodes, &expected = parsed->document()->nodes;
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].begin == expected[i].begin);
    CHECK(got[i].end == expected[i].end);
    CHECK(got[i].next == expected[i].next);
    CHECK(got[i].count == expected[i].count);
    CHECK(got[i].kind == expected[i].kind);
  }
}

template <class Parsed>
void check_refused(const Json& c, const Parsed& parsed) {
  REQUIRE_MESSAGE(!parsed, "is accepted");
  CHECK_MESSAGE(parsed.error().message.find(c["refused"].get<std::string>()) != std::string::npos,
                parsed.error().message);
}

}  // namespace

TEST_CASE("Path: every case of tests/cases/jsonpath") {
  for (const Json& c : tests::cases_of("jsonpath")) {
    CAPTURE(c["name"].get<std::string>());
    const auto path = Path::parse(c["path"].get<std::string>());
    if (c.contains("refused")) {
      check_refused(c, path);
      continue;
    }
    REQUIRE_MESSAGE(path, path.error().message);
    const tests::GivenScope given = scope_of(c, "document");
    const Outcome got = path->evaluate(given.scope());
    check_outcome(c, got, "States.Runtime");
    if (got) check_index(*got);
  }
}

TEST_CASE("ReferencePath: every case of tests/cases/result_path") {
  for (const Json& c : tests::cases_of("result_path")) {
    CAPTURE(c["name"].get<std::string>());
    const auto path = ReferencePath::parse(c["path"].get<std::string>());
    if (c.contains("refused")) {
      check_refused(c, path);
      continue;
    }
    REQUIRE_MESSAGE(path, path.error().message);
    const Payload into = to_payload(c["into"]);
    const std::string before(into.text());
    const Outcome got = path->put(into, to_payload(c["value"]));
    check_outcome(c, got, "States.ResultPathMatchFailure");
    CHECK(into.text() == before);
    if (!got) continue;
    check_index(*got);
    CHECK(got->text() == to_payload(c["output"]).text());  // the order of members too
  }
}

TEST_CASE("PayloadTemplate: every case of tests/cases/templates") {
  for (const Json& c : tests::cases_of("templates")) {
    CAPTURE(c["name"].get<std::string>());
    std::vector<Problem> problems;
    const auto compiled = PayloadTemplate::compile(to_payload(c["template"]).view(), problems);
    if (c.contains("problem")) {
      REQUIRE(problems.size() == 1);
      CHECK(problems[0].message == c["problem"].get<std::string>());
      continue;
    }
    REQUIRE(problems.empty());
    const tests::GivenScope given = scope_of(c, "input");
    const Outcome got = compiled.evaluate(given.scope());
    check_outcome(c, got, "States.Runtime");
    if (got) check_index(*got);
  }
}

TEST_CASE("IntrinsicCall: every case of tests/cases/intrinsics") {
  for (const Json& c : tests::cases_of("intrinsics")) {
    CAPTURE(c["name"].get<std::string>());
    const auto call = IntrinsicCall::parse(c["call"].get<std::string>());
    if (c.contains("refused")) {
      check_refused(c, call);
      continue;
    }
    REQUIRE_MESSAGE(call, call.error().message);
    const tests::GivenScope given = scope_of(c, "input");
    const Outcome got = call->evaluate(given.scope());
    check_outcome(c, got, "States.IntrinsicFailure");
    if (got) check_index(*got);
  }
}

TEST_CASE("ChoiceRule: every case of tests/cases/choice") {
  for (const Json& c : tests::cases_of("choice")) {
    CAPTURE(c["name"].get<std::string>());
    std::vector<Problem> problems;
    Json rule = c.value("rule", Json::object());
    if (c.contains("test")) {
      rule = c["test"];
      rule["Variable"] = "$.v";
    }
    const auto compiled = ChoiceRule::compile(to_payload(rule).view(), problems);
    if (c.contains("problem")) {
      REQUIRE(problems.size() == 1);
      CHECK(problems[0].message == c["problem"].get<std::string>());
      continue;
    }
    REQUIRE(problems.empty());
    for (const bool expected : {true, false}) {
      for (const Json& v : c.value(expected ? "true" : "false", Json::array())) {
        tests::GivenScope given;
        given.input = to_payload(Json{{"w", "m"}, {"x", 5}, {"v", v}});
        const auto holds = compiled.evaluate(given.scope());
        REQUIRE(holds);
        CHECK_MESSAGE(*holds == expected, v.dump());
      }
    }
    if (!c.contains("rule")) continue;
    const tests::GivenScope given = scope_of(c, "input");
    const auto holds = compiled.evaluate(given.scope());
    if (c.contains("cause")) {
      REQUIRE(!holds);
      CHECK(holds.error().error == "States.Runtime");
      CHECK(holds.error().cause == c["cause"].get<std::string>());
    } else {
      REQUIRE(holds);
      CHECK(*holds == c["holds"].get<bool>());
    }
  }
}

TEST_CASE("Path: no path runs away") {
  JsonWriter deep;
  constexpr int kDepth = 900;
  for (int i = 0; i < kDepth; ++i) deep.begin_object().key("a");
  deep.number(std::int64_t{1});
  for (int i = 0; i < kDepth; ++i) deep.end_object();
  JsonWriter wide;
  wide.begin_array();
  for (std::int64_t i = 0; i < 20'000; ++i) wide.begin_object().key("n").number(i).end_object();
  wide.end_array();
  tests::GivenScope given;
  for (const auto& [document, path] :
       {std::pair(deep.finish(), "$..[?(@..a contains @..a)]"),
        std::pair(wide.finish(), "$[?(@.n in $[*].n)]"),
        std::pair(Payload::literal("[[1,1,1,1],[1,1,1,1]]"), "$..*..*..*..*")}) {
    given.input = document;
    const Outcome got = Path::parse(path)->evaluate(given.scope());
    if (!got) CHECK(got.error().cause.find("looks at more than 2000000 nodes") != std::string::npos);
  }
  given.input = wide.begin_array().end_array().finish();
  std::string many = "$";
  for (int i = 0; i < 100'000; ++i) many += ".a";
  CHECK(!Path::parse(many));
  CHECK(!ReferencePath::parse(many));
  std::string nested = "$";
  for (int i = 0; i < 10'000; ++i) nested += "[?(@";
  CHECK(!Path::parse(nested));
  nested = "$.sum(";
  for (int i = 0; i < 10'000; ++i) nested += "$.sum(";
  CHECK(!Path::parse(nested));
}

TEST_CASE("ReferencePath: a document after thousands of random puts is what it would be in a tree") {
  Json tree = Json::object();
  Payload payload = Payload::literal("{}");
  Random random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string path = "$";
    Json* at = &tree;
    for (std::uint64_t depth = 1 + random.below(3); depth > 0; --depth) {
      const std::string name = "k" + std::to_string(random.below(12));
      path += "." + name;
      if (!at->is_object()) break;
      at = &(*at)[name];
      if (at->is_null()) *at = Json::object();
    }
    const Json value = random.below(3) == 0   ? Json{{"x", i}, {"y", Json::array({1, "t\n"})}}
                       : random.below(2) == 0 ? Json::object()
                                              : Json::object({{"k1", i}});
    const Outcome put = ReferencePath::parse(path)->put(payload, to_payload(value));
    if (!put) {  // below a number: the tree went no further either
      REQUIRE(put.error().error == "States.ResultPathMatchFailure");
      continue;
    }
    *at = value;
    payload = *put;
    if (tree.dump().size() > 20'000) {
      tree = Json::object();
      payload = Payload::literal("{}");
    }
    if (i % 50 == 0) check_index(payload);
  }
  CHECK(payload.text() == to_payload(tree).text());
}

TEST_CASE("Intrinsics: what is drawn depends on the seed alone, and no two draws are alike") {
  std::vector<Problem> problems;
  const auto compiled = PayloadTemplate::compile(
      Payload::literal(
          R"j({"a.$":"States.UUID()","b.$":"States.UUID()","c.$":"States.MathRandom(0, 1000000000)"})j")
          .view(),
      problems);
  tests::GivenScope given;
  const Payload first = *compiled.evaluate(given.scope()), next = *compiled.evaluate(given.scope());
  std::set<std::string> uuids;
  for (const Payload& p : {first, next}) {
    for (const char* name : {"a", "b"}) uuids.insert(p.view().find(name).string());
  }
  CHECK(uuids.size() == 4);
  CHECK(first.view().find("c").text() != next.view().find("c").text());
  tests::GivenScope again;
  CHECK(compiled.evaluate(again.scope())->text() == first.text());
  again.environment = {again.environment.now, 43, &again.limits};
  CHECK(compiled.evaluate(again.scope())->text() != first.text());
}

TEST_CASE("Intrinsics: large arrays and objects are done in one pass") {
  JsonWriter array;
  array.begin_array();
  for (std::int64_t i = 0; i < 100'000; ++i) array.number(i % 50'000);
  array.end_array();
  JsonWriter object;
  object.begin_object();
  for (std::int64_t i = 0; i < 30'000; ++i) object.key(std::to_string(i)).number(i);
  object.end_object();
  tests::GivenScope given;
  given.input = array.finish();
  CHECK(IntrinsicCall::parse("States.ArrayUnique($)")->evaluate(given.scope())->view().size() == 50'000);
  given.input = object.finish();
  CHECK(IntrinsicCall::parse("States.JsonMerge($, $, false)")->evaluate(given.scope())->view().size() ==
        30'000);
}
