// No expression hangs, eats the memory or overflows the stack, and the same seed gives the same answer.

#include <doctest/doctest.h>

#include <string>

#include "tests/definitions/jsonata_support.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

std::string answer(const std::string& expression, const Limits& limits = {}) {
  const auto given = tests::run_jsonata(expression, nullptr, Json::object(), JsonataDialect::Jsonata, limits);
  return given.kind == "error" ? given.error.code + " " + given.error.message
                               : given.kind + " " + given.value.dump();
}

std::string repeated(std::string_view part, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += part;
  return out;
}

constexpr const char* kTimeout = "U1001 Expression evaluation timeout";
constexpr const char* kMemory = "U1001 Expression evaluation memory limit exceeded";
constexpr const char* kStack = "U1001 Stack overflow error";

// Few steps, so that the tests are quick.
Limits few() {
  Limits limits;
  limits.jsonata_steps_max = 300'000;
  limits.jsonata_memory_max = 8 << 20;
  return limits;
}

}  // namespace

TEST_CASE("JSONata limits: what does not end is stopped") {
  CHECK(answer("($f := function(){ $f() }; $f())", few()) == kTimeout);
  CHECK(answer("($f := function($n){ $f($n + 1) }; $f(0))", few()) == kTimeout);
  CHECK(answer("$sum($map([1..100000], function($x){ $sum([1..100000]) }))", few()) == kTimeout);
  CHECK(answer("[1..1000].([1..1000].$)", few()) == kTimeout);
  CHECK(answer("$reduce([1..1000000], function($a, $b){ $a + $b })", few()) == kTimeout);
  CHECK(answer("$match($pad('', 5000, 'a') & 'b', /^(a|aa)+$/)", few()).starts_with("U1001"));
}

TEST_CASE("JSONata limits: what grows without end is stopped") {
  CHECK(answer("($f := function($s){ $f($s & $s) }; $f('abc'))", few()) == kMemory);
  CHECK(answer("($f := function($a){ $f($append($a, $a)) }; $f([1, 2]))", few()).starts_with("U1001"));
  CHECK(answer("$pad('a', 1e9)", few()) == kMemory);
  CHECK(answer("$pad('a', 1e300)", few()) == kMemory);
  CHECK(answer("$replace($pad('a', 100000, 'a'), 'a', $pad('b', 100000))", few()) == kMemory);
  CHECK(answer("[1..10000000].{'x': $}", few()).starts_with("U1001"));
  CHECK(answer("[[1..10000000], 0]", few()).starts_with("U1001"));
  CHECK(answer("$length($string([1..10000000]))", few()).starts_with("U1001"));
}

TEST_CASE("JSONata limits: depth") {
  CHECK(answer("($f := function($n){ 1 + $f($n + 1) }; $f(0))") == kStack);
  CHECK(answer("($f := function($n){ [$f($n)] }; $f(0))") == kStack);
  CHECK(answer("$map([1], function($x){ $x ~> $map(?, $string) })") != kStack);
  CHECK(answer("($h := function($f, $n){ $n = 0 ? $f : $h($f ~> $uppercase, $n - 1) };"
               " $g := $h($trim, 100000); $g('a'))") == kStack);
  CHECK(
      answer("($a := $reduce([1..100000], function($a, $i){ [[$a]] }, 1); $a = [$a])").starts_with("U1001"));
  CHECK(answer("$reduce([1..100000], function($a, $i){ [[$a]] }, 1)") == kStack);
  CHECK(answer("$string($reduce([1..100000], function($a, $i){ {'a': $a} }, 1))") == kStack);
  CHECK(answer("$boolean($reduce([1..100000], function($a, $i){ [[$a]] }, 1))") == kStack);
  CHECK(answer("$reduce([1..100000], function($a, $i){ {'a': $a} }, 1).**") == kStack);
  CHECK(answer("$clone($reduce([1..100000], function($a, $i){ {'a': $a} }, {}))") == kStack);
}

TEST_CASE("JSONata limits: text that nests without end does not compile") {
  for (const char* open :
       {"(", "[", "{'a':", "-", "a[", "$f(", "1?", "function($x){", "a^(", "|a|", "$a:=", "a{'x':"})
    CHECK(answer(repeated(open, 100'000)).starts_with("U1001"));
  CHECK(answer("1" + repeated("+1", 100'000)) == kStack);
  CHECK(answer("a" + repeated(".a", 100'000)) == kStack);
  CHECK(answer("a" + repeated("[0]", 100'000)) == kStack);
  CHECK(answer("$count([1" + repeated(",1", 100'000) + "])") == "result 100001");
  CHECK(answer("1" + repeated("+1", 1000)) == "result 1001");
  CHECK(answer(repeated("(", 200) + "1" + repeated(")", 200)) == "result 1");
}

TEST_CASE("JSONata limits: long tail calls and large ranges are no trouble") {
  CHECK(answer("($f := function($n, $a){ $n = 0 ? $a : $f($n - 1, $a + $n) }; $f(300000, 0))") ==
        "result 45000150000");
  CHECK(answer("$count([1..10000000])") == "result 10000000");
  CHECK(answer("[1..10000000][9999999]") == "result 10000000");
#ifndef __SANITIZE_ADDRESS__  // whose frames are larger
  CHECK(answer("($f := function($n){ $n = 0 ? 0 : 1 + $f($n - 1) }; $f(1900))") == "result 1900");
#endif
}

TEST_CASE("JSONata: the same seed draws the same, one after the other different") {
  const auto draw = [](std::uint64_t seed, const char* expression) {
    const Limits limits;
    const Environment environment{from_millis(0), seed, &limits};
    const auto compiled = Jsonata::compile(expression);
    REQUIRE(compiled);
    const std::string first(compiled->evaluate({}, {}, environment).value.text());
    return first + " " + std::string(compiled->evaluate({}, {}, environment).value.text());
  };
  for (const char* expression : {"$random()", "$uuid()", "$shuffle([1..20])"}) {
    CAPTURE(expression);
    const std::string two = draw(1, expression);
    CHECK(two == draw(1, expression));
    CHECK(two != draw(2, expression));
    CHECK(two.substr(0, two.find(' ')) != two.substr(two.find(' ') + 1));
  }
}

TEST_CASE("JSONata: parts of the input come through as they are written") {
  const Limits limits;
  const Environment environment{from_millis(0), 1, &limits};
  const Payload input =
      Payload::literal(R"({"a":{"n":1.10,"id":12345678901234567890,"s":"\u00e9"},"b":[1.0,{"c":-0.0}]})");
  const auto answers = [&](const char* expression) {
    const auto compiled = Jsonata::compile(expression, JsonataDialect::Jsonata);
    REQUIRE(compiled);
    return std::string(compiled->evaluate(input.view(), {}, environment).value.text());
  };
  CHECK(answers("a") == R"({"n":1.10,"id":12345678901234567890,"s":"é"})");
  CHECK(answers("{'x': a.id}") == R"({"x":12345678901234567890})");
  CHECK(answers("[b, a.n]") == R"([1.0,{"c":-0.0},1.10])");
  CHECK(answers("a.n + 0") == "1.1");
  CHECK(answers("a.id + 0") == "12345678901234567000");
}
