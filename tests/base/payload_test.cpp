#include "base/payload.h"

#include <doctest/doctest.h>

#include "base/json.h"

using namespace millrace;

namespace {
std::string round_trip(std::string_view text) {
  auto parsed = Payload::parse(text);
  return parsed ? std::string(parsed->text()) : "error: " + parsed.error().message;
}
}  // namespace

TEST_CASE("Payload: numbers, key order and Unicode come through as written") {
  CHECK(round_trip(R"({"z":1.10,"a":12345678901234567890123,"é":1e400})") ==
        R"({"z":1.10,"a":12345678901234567890123,"é":1e400})");
  CHECK(round_trip("\"\\u00e9\\ud83d\\ude00\\/\\n\"") == "\"é😀/\\n\"");
  CHECK(round_trip("\"\\ud800x\"") == "\"\\ud800x\"");
  CHECK(round_trip(" [ 1 , { } , [ ] ,\"a b\" ] ") == "[1,{},[],\"a b\"]");
}

TEST_CASE("Payload: errors name line and column") {
  CHECK(round_trip("{\n  \"a\": tru\n}") ==
        "error: invalid JSON: unexpected 't', expected a value at line 2, column 8");
  CHECK(round_trip("{\"a\":1,}") == "error: invalid JSON: a comma before '}' at line 1, column 8");
  CHECK(round_trip("01") == "error: invalid JSON: a number with a leading zero at line 1, column 2");
  CHECK(round_trip("") ==
        "error: invalid JSON: unexpected end of text, expected a value at line 1, column 1");
  CHECK(round_trip("\"\xff\"").find("not UTF-8") != std::string::npos);
  CHECK(round_trip(std::string(2000, '[')).find("nested deeper than 1000 levels") != std::string::npos);
}

TEST_CASE("Payload: of duplicate keys the last wins, in the first place") {
  CHECK(round_trip(R"({"a":1,"b":2,"a":{"c":1,"c":2}})") == R"({"a":{"c":2},"b":2})");
  std::vector<std::uint32_t> offsets, duplicates;
  JsonParseOptions options;
  options.offsets = &offsets;
  options.duplicates = &duplicates;
  auto p = Payload::parse(R"({"a":1,"b":2,"a":3})", options);
  REQUIRE(p);
  CHECK(duplicates == std::vector<std::uint32_t>{1});
  CHECK(offsets.size() == p->document()->nodes.size());
}

TEST_CASE("Payload: views find members and elements, and parts become documents") {
  const Payload p = Payload::literal(R"({"a":{"b":[10,20,{"c":"x"}]},"k\"q":true})");
  CHECK(p.view().find("a").find("b").at(1).text() == "20");
  CHECK(p.view().find("k\"q").boolean());
  CHECK(!p.view().find("nothing"));
  CHECK(!p.view().find("a").at(0));
  const Payload part = Payload::of(p.view().find("a").find("b"));
  CHECK(part.text() == R"([10,20,{"c":"x"}])");
  CHECK(part.view().at(2).find("c").string() == "x");
  CHECK(Payload::of(p.view()).same_as(p));
}

TEST_CASE("Payload: equality is JSON's") {
  const auto same = [](const char* a, const char* b) { return Payload::literal(a) == Payload::literal(b); };
  CHECK(same(R"({"a":1,"b":[1.0]})", R"({"b":[1],"a":1})"));
  CHECK(!same("12345678901234567890123", "12345678901234567890124"));
  CHECK(!same("1", "\"1\""));
  CHECK(same("-0", "0"));
  CHECK(same("1e2", "100"));
}

TEST_CASE("JsonWriter: puts parts of documents together") {
  const Payload p = Payload::literal(R"({"a":[1,2],"b":"x"})");
  JsonWriter w;
  w.begin_object();
  w.key("n").number(3.0).key("i").number(std::int64_t{-7}).key("part").value(p.view().find("a"));
  w.key("s").string("q\"\n\xff").key("e").begin_array().end_array().key("z").null().end_object();
  const Payload made = w.finish();
  CHECK(made.text() ==
        "{\"n\":3.0,\"i\":-7,\"part\":[1,2],\"s\":\"q\\\"\\n\xEF\xBF\xBD\",\"e\":[],\"z\":null}");
  CHECK(made.view().find("part").at(1).text() == "2");
  CHECK(made.view().find("z").is_null());
  CHECK(Payload::parse(made.text())->document()->nodes.size() == made.document()->nodes.size());
}

TEST_CASE("Json: both ways") {
  const Payload p = Payload::literal(R"({"z":1,"a":[1.5,true,null,"é"],"u":18446744073709551615})");
  CHECK(to_payload(to_json(p.view())).text() == p.text());
}
