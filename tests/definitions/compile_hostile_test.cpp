// Texts nobody writes by hand: no crash, no hang, and always a reason.

#include <doctest/doctest.h>

#include <chrono>

#include "base/random.h"
#include "definitions/compile.h"
#include "definitions/graph.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

std::string repeat(std::string_view part, std::size_t times) {
  std::string out;
  out.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

Limits wide() {
  Limits limits;
  limits.definition_bytes_max = 64 << 20;
  return limits;
}

// A chain of `count` states; `next_of` names what follows state i.
template <class Next>
std::string chain(std::size_t count, Next next_of) {
  std::string text = R"({"StartAt":"s0","States":{)";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ',';
    text += "\"s" + std::to_string(i) + R"(":{"Type":"Pass",)" + next_of(i) + "}";
  }
  return text + "}}";
}

double seconds_of(const std::string& text, Compiled& got) {
  const auto start = std::chrono::steady_clock::now();
  got = compile(text, wide());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr std::string_view kSample = R"j({"Comment":"é","StartAt":"A","TimeoutSeconds":60,"States":{
  "A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"a.$":"$.b","c":[1,{"d.$":"States.Format('{}', $.e)"}]},"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1}],"Catch":[{"ErrorEquals":["E"],"Next":"F"}],"ResultPath":"$.r","Next":"C"},
  "C":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.x","NumericGreaterThan":1},{"Not":{"Variable":"$.y","IsPresent":true}}],"Next":"M"}],"Default":"P"},
  "M":{"Type":"Map","ItemsPath":"$.i","ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"MI","States":{"MI":{"Type":"Wait","SecondsPath":"$.s","End":true}}},"MaxConcurrency":2,"Next":"P"},
  "P":{"Type":"Parallel","Branches":[{"StartAt":"PB","States":{"PB":{"Type":"Pass","Result":{"k":1},"End":true}}}],"Next":"S"},
  "S":{"Type":"Succeed"},
  "F":{"Type":"Fail","Error":"X","CausePath":"$.c"}}})j";

}  // namespace

TEST_CASE("Hostile: a hundred thousand states, good ones, unreachable ones, lost ones, all in time") {
  constexpr std::size_t kCount = 100'000;
  constexpr double kSecondsMax = 30;  // far above what it takes: only a hang or a quadratic step comes near
  const auto next = [&](std::size_t i) {
    return i + 1 == kCount ? std::string("\"End\":true") : "\"Next\":\"s" + std::to_string(i + 1) + "\"";
  };
  Compiled got;
  const double good = seconds_of(chain(kCount, next), got);
  REQUIRE(got.program);
  CHECK(got.program->nodes.size() == kCount);
  CHECK(good < kSecondsMax);
  const double unreachable = seconds_of(chain(kCount, [](std::size_t) { return "\"End\":true"; }), got);
  CHECK(got.diagnostics.size() == kCount - 1);
  CHECK(unreachable < kSecondsMax);
  const double lost = seconds_of(chain(kCount, [](std::size_t) { return "\"Next\":\"nowhere\""; }), got);
  CHECK(got.diagnostics.size() == kCount);
  CHECK(lost < kSecondsMax);
  const double unknown =
      seconds_of(chain(kCount, [](std::size_t) { return "\"Nxet\":1,\"End\":true"; }), got);
  CHECK(got.diagnostics.size() == 2 * kCount - 1);
  CHECK(unknown < kSecondsMax);
  const double loop = seconds_of(
      chain(kCount, [&](std::size_t i) { return "\"Next\":\"s" + std::to_string((i + 1) % kCount) + "\""; }),
      got);
  REQUIRE(got.diagnostics.size() == 1);
  CHECK(got.diagnostics[0].code == "MISSING_END_STATE");
  CHECK(loop < kSecondsMax);
  MESSAGE("100,000 states: good ", good, " s, unreachable ", unreachable, " s, lost ", lost,
          " s, unknown fields ", unknown, " s, one loop ", loop, " s");
}

TEST_CASE("Hostile: deep and wide texts are refused with a reason") {
  for (const std::string& text :
       {repeat("[", 200'000), repeat("{\"a\":", 200'000),
        R"({"StartAt":"A","States":)" + repeat("{\"A\":", 5000),
        R"({"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Parameters":)" + repeat("[", 990) +
            repeat("]", 990) + ",\"X\":1}}}",
        R"({"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[)" + repeat("{\"Not\":", 900) + "{}" +
            repeat("}", 900) + "]}}}",
        R"({"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[)" + repeat("1,", 100'000) +
            "1]}}}",
        R"({"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[)" + repeat("{},", 100'000) + "{}]}}}",
        R"({"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Retry":[)" + repeat("null,", 100'000) +
            "0]}}}",
        "{" + repeat("\"x\":1,", 100'000) + "\"y\":2}", std::string(100'000, '\0'), std::string("\xff\xfe{}"),
        "{\"StartAt\":\"" + std::string(500'000, 'a') + R"(","States":{"A":{"Type":"Succeed"}}})"}) {
    const Compiled got = compile(text, wide());
    CHECK_FALSE(got.program);
    REQUIRE_FALSE(got.diagnostics.empty());
    CHECK(render(got.diagnostics[0], "f", text).size() < 2'000'000);
  }
}

TEST_CASE("Hostile: random changes of a good definition never crash, and what compiles holds together") {
  REQUIRE(compile(kSample).program);
  static constexpr std::string_view kParts[] = {"\"",
                                                "{",
                                                "}",
                                                "[",
                                                "]",
                                                ":",
                                                ",",
                                                "null",
                                                "\"$\"",
                                                "\"$$.x\"",
                                                "-1",
                                                "1e999",
                                                "true",
                                                "\"End\":true",
                                                "\"Next\":\"A\"",
                                                "\\u0000",
                                                "\xc3",
                                                "\"JSONata\"",
                                                "{\"Type\":\"Map\"}",
                                                "\"Type\":\"Fail\""};
  Random random(20261121);
  int compiled = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kSample);
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      const std::size_t at = static_cast<std::size_t>(random.below(text.size()));
      switch (random.below(5)) {
        case 0:
          text.erase(at, static_cast<std::size_t>(1 + random.below(20)));
          break;
        case 1:
          text.insert(at, kParts[random.below(std::size(kParts))]);
          break;
        case 2:
          text[at] = static_cast<char>(random.below(256));
          break;
        case 3: {  // a part stands twice
          const std::string part = text.substr(at, static_cast<std::size_t>(random.below(80)));
          text.insert(static_cast<std::size_t>(random.below(text.size())), part);
          break;
        }
        default:
          std::swap(text[at], text[static_cast<std::size_t>(random.below(text.size()))]);
      }
      if (text.empty()) text = " ";
    }
    const Compiled got = compile(text);
    bool refused = false;
    std::uint32_t line = 0, column = 0;
    for (const Diagnostic& d : got.diagnostics) {
      refused = refused || d.severity == Severity::Error;
      const bool in_order =
          d.position.line > line || (d.position.line == line && d.position.column >= column);
      CHECK(in_order);
      line = d.position.line;
      column = d.position.column;
      CHECK_FALSE(d.code.empty());
      CHECK_FALSE(d.message.empty());
      CHECK_FALSE(render(d, "f", text).empty());
    }
    CHECK((got.program == nullptr) == refused);
    if (!got.program) continue;
    ++compiled;
    CHECK(got.program->start < got.program->nodes.size());
    for (const GraphEdge& edge : edges_of(*got.program)) {
      CHECK((edge.to == kEnd || edge.to < got.program->nodes.size()));
    }
  }
  CHECK(compiled > 100);
  CHECK(compiled < 19'900);
}
