// Event patterns: the recorded cases, and cases of our own for what they leave open.

#include "triggers/pattern.h"

#include <doctest/doctest.h>

#include "tests/support/cases.h"
#include "triggers/rule_index.h"

using namespace millrace;
using namespace millrace::triggers;

namespace {

// "match", "no match" or "error".
std::string verdict(const std::string& pattern, const std::string& event) {
  const auto compiled = compile_pattern(pattern);
  if (!compiled) {
    CHECK(compiled.error().message.starts_with("Event pattern is not valid. Reason: "));
    return "error";
  }
  const auto document = Payload::parse(event);
  REQUIRE(document);
  return matches(*compiled, document->view()) ? "match" : "no match";
}

std::string reason(const std::string& pattern) {
  const auto compiled = compile_pattern(pattern);
  REQUIRE_FALSE(compiled);
  return compiled.error().message;
}

}  // namespace

TEST_CASE("patterns: the recorded cases have AWS's verdict") {
  const auto file = tests::shared("conformance/event-patterns/cases.jsonl");
  if (!file) {
    MESSAGE("skipped: conformance/event-patterns is not there");
    return;
  }
  int count = 0;
  for (const Json& c : tests::lines_of(*file)) {
    CAPTURE(c["name"].get<std::string>());
    CHECK(verdict(c["pattern"].dump(), c["event"].dump()) == c["expect"].get<std::string>());
    ++count;
  }
  CHECK(count >= 155);
}

TEST_CASE("patterns: cases of our own") {
  for (const Json& c : tests::cases_of("event-patterns")) {
    CAPTURE(c["name"].get<std::string>());
    CHECK(verdict(c["pattern"].dump(), c["event"].dump()) == c["expect"].get<std::string>());
  }
}

TEST_CASE("patterns: what is wrong is said in AWS's words, with its place") {
  CHECK(reason(R"({"source": "a"})") ==
        "Event pattern is not valid. Reason: \"source\" must be an object or an array at [line: 1, column: "
        "12]");
  CHECK(reason(R"([1])").find("Filter is not an object") != std::string::npos);
  CHECK(reason("{}").find("Empty objects are not allowed") != std::string::npos);
  CHECK(reason("{\n \"a\": []}").find("Empty arrays are not allowed at [line: 2, column: 7]") !=
        std::string::npos);
  CHECK(reason(R"({"a": [{"PREFIX": "x"}]})").find("Unrecognized match type PREFIX") != std::string::npos);
  CHECK(reason(R"({"a": [{"wildcard": "a**"}]})").find("Consecutive wildcard characters at pos 1") !=
        std::string::npos);
  CHECK(reason(R"({"a": [{"numeric": ["<"]}]})").find("Value of < must be numeric") != std::string::npos);
  CHECK(reason("{\"a\": [").find("Event pattern is not valid. Reason: ") == 0);
}

TEST_CASE("patterns: $or multiplies out to a thousand alternatives and no more") {
  const auto text = [](int width) {
    std::string one, all;
    for (int i = 0; i < width; ++i)
      one += (i ? "," : "") + std::string("{\"k") + std::to_string(i) + "\":[1]}";
    for (const char* name : {"a", "b", "c"})
      all += std::string(all.empty() ? "" : ",") + "\"" + name + "\":{\"$or\":[" + one + "]}";
    return "{" + all + "}";
  };
  const auto thousand = compile_pattern(text(10));
  REQUIRE(thousand);
  CHECK(thousand->alternatives.size() == 1000);
  CHECK(reason(text(11)).find("Rule is too complex") != std::string::npos);
}

TEST_CASE("index: finds among many patterns exactly those that match one by one") {
  std::vector<Pattern> patterns;
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i % 7), m = std::to_string(i % 5);
    texts.push_back(R"({"source":["s)" + n + R"("],"detail":{"n":[)" + m + R"(.0]}})");
    texts.push_back(R"({"source":[{"prefix":"s"}],"detail":{"n":[{"numeric":[">",)" + m + R"(]}]}})");
    texts.push_back(R"({"$or":[{"source":["s)" + n + R"("]},{"detail":{"tags":["t)" + m + R"("]}}]})");
    texts.push_back(R"({"detail":{"missing":[{"exists":false}],"n":[)" + m + "]}}");
  }
  for (const std::string& text : texts) {
    auto compiled = compile_pattern(text);
    REQUIRE(compiled);
    patterns.push_back(std::move(*compiled));
  }
  std::vector<const Pattern*> all;
  for (const Pattern& p : patterns) all.push_back(&p);
  const RuleIndex index(all);
  for (int i = 0; i < 35; ++i) {
    const Payload event =
        Payload::literal(R"({"source":"s)" + std::to_string(i % 7) + R"(","detail":{"n":)" +
                         std::to_string(i % 5) + R"(,"tags":["t1","t)" + std::to_string(i % 3) + R"("]}})");
    std::vector<std::uint32_t> found, expected;
    index.match(event.view(), found);
    for (std::size_t p = 0; p < patterns.size(); ++p)
      if (matches(patterns[p], event.view())) expected.push_back(static_cast<std::uint32_t>(p));
    CHECK(found == expected);
    CHECK_FALSE(found.empty());
    CHECK(found.size() < patterns.size());
  }
}
