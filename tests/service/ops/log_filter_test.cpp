#include "service/api/log_filter.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::api;

namespace {
bool matches(std::string_view pattern, const std::string& message) {
  const auto filter = LogFilter::parse(pattern);
  REQUIRE_MESSAGE(filter, pattern << ": " << (filter ? "" : filter.error().message));
  return filter->matches(message);
}
}  // namespace

TEST_CASE("log filter: terms, quotes, exclusions, alternatives") {
  const std::string line = "2026-11-21 ERROR [billing] payment timed out after 30 s";
  struct Row {
    std::string_view pattern;
    bool expected;
  };
  for (const Row& row : {Row{"", true},
                         {"ERROR", true},
                         {"error", false},
                         {"ERROR billing", true},
                         {"ERROR shipping", false},
                         {"\"timed out\"", true},
                         {"\"out timed\"", false},
                         {"ERROR -billing", false},
                         {"ERROR -shipping", true},
                         {"-ERROR", false},
                         {"?WARN ?ERROR", true},
                         {"?WARN ?DEBUG", false},
                         {"ERROR ?WARN", true},
                         {"-\"timed in\" \"[billing]\"", true}}) {
    CAPTURE(row.pattern);
    CHECK(matches(row.pattern, line) == row.expected);
  }
}

TEST_CASE("log filter: members of JSON messages") {
  const std::string line =
      R"({"level":"ERROR","code":504,"user":{"id":7,"tags":["a","b"]},"ok":false,"none":null,"type":"TaskTimedOut"})";
  struct Row {
    std::string_view pattern;
    bool expected;
  };
  for (const Row& row : {Row{R"({ $.level = "ERROR" })", true},
                         {R"({ $.level = ERROR })", true},
                         {R"({ $.level != "ERROR" })", false},
                         {R"({$.level="INFO"||$.code>=500})", true},
                         {R"({ $.level = "ERROR" && $.code < 500 })", false},
                         {R"({ $.level = "INFO" && $.code = 1 || $.code = 504 })", true},
                         {R"({ $.level = "INFO" && ($.code = 1 || $.code = 504) })", false},
                         {R"({ $.type = "*TimedOut" })", true},
                         {R"({ $.type = "Task*Out" })", true},
                         {R"({ $.type = "*Failed" })", false},
                         {R"({ $.user.id = 7.0 })", true},
                         {R"({ $.user.tags[1] = "b" })", true},
                         {R"({ $.user.tags[2] = "b" })", false},
                         {R"({ $.user.tags[2] NOT EXISTS })", true},
                         {R"({ $.user EXISTS })", true},
                         {R"({ $.none IS NULL })", true},
                         {R"({ $.ok IS FALSE })", true},
                         {R"({ $.ok IS TRUE })", false},
                         {R"({ $.missing != "x" })", false}}) {
    CAPTURE(row.pattern);
    CHECK(matches(row.pattern, line) == row.expected);
  }
  CHECK(!matches(R"({ $.level = "ERROR" })", "level=ERROR"));
  CHECK(!matches("{ $.a NOT EXISTS }", "[1]"));
}

TEST_CASE("log filter: what is no pattern is refused with its place") {
  for (const std::string_view pattern :
       {"{ $.a = }", "{ $.a }", "{ level = 1 }", "{ $.a = 1", "{ $.a = 1 } x", "{ ($.a = 1 }", "{ $.a IS 1 }",
        "{ $.a NOT 1 }", "{ $. = 1 }", "{ $.a[x] = 1 }", "{ $.a < \"b\" }", "\"open", "{ $.a = \"open }",
        "[a, b]", "%x%", "{ $.a = %x% }"}) {
    CAPTURE(pattern);
    const auto filter = LogFilter::parse(pattern);
    REQUIRE(!filter);
    CHECK(filter.error().message.starts_with("Invalid filter pattern: "));
  }
  CHECK(!LogFilter::parse("{" + std::string(10'000, '(') + "$.a=1" + std::string(10'000, ')') + "}"));
}
