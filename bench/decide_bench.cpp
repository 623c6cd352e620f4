// How fast the core decides, store and disk left out: chains of ten Pass states on a 1 KB document, a loop
// that counts, Maps of 100 and of 10,000 items. One JSON line each, nanoseconds a state transition (or item).
//   millrace_bench_decide [rounds]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/check.h"
#include "definitions/compile.h"
#include "states/decide.h"

using namespace millrace;
using namespace millrace::states;

namespace {

constexpr int kStates = 10;

// {"order":"o-1","items":[…]}
Payload document_of(std::size_t bytes) {
  std::string text = R"({"order":"o-1","items":[0)";
  for (int i = 0; text.size() + 2 < bytes; ++i)
    text += R"(,{"sku":"sku-)" + std::to_string(i) + R"(","quantity":)" + std::to_string(i * 7 % 5) + "}";
  return Payload::literal(text + "]}");
}

// `fields` of every Pass; "#" in them is the state's number.
std::string chain(const std::string& fields) {
  std::string text = R"({"StartAt":"S0","States":{)";
  for (int i = 0; i < kStates; ++i) {
    std::string own = fields;
    for (std::size_t at; (at = own.find('#')) != std::string::npos;) own.replace(at, 1, std::to_string(i));
    const std::string next =
        i + 1 < kStates ? R"("Next":"S)" + std::to_string(i + 1) + "\"" : std::string(R"("End":true)");
    text += (i > 0 ? ",\"S" : "\"S") + std::to_string(i) + R"(":{"Type":"Pass",)" + own + next + "}";
  }
  return text + "}}";
}

Payload numbers(int count) {
  JsonWriter out;
  out.begin_object().key("items").begin_array();
  for (int i = 0; i < count; ++i) out.number(static_cast<std::int64_t>(i));
  out.end_array().end_object();
  return out.finish();
}

// Runs one execution to its end.
void run(const definitions::Program& program, const Payload& input, const Limits& limits) {
  Environment environment{from_millis(1'700'000'000'000), 1, &limits};
  stimulus::Started started;
  started.identity = {"arn:aws:states:us-east-1:123456789012:execution:machine:name", "name",
                      "arn:aws:states:us-east-1:123456789012:stateMachine:machine", "machine", "role"};
  started.input = input;
  Decision decision = decide(program, {}, started, environment);
  while (!decision.next.ended())
    decision = decide(program, std::move(decision.next), stimulus::TimeCame{}, environment);
  MR_CHECK(decision.next.status == ExecutionStatus::Succeeded, "the execution succeeds");
}

// Median of the rounds, so that one interruption does not count.
void measure(const char* name, const std::string& definition, const Payload& input, int steps, int repeats,
             int rounds) {
  Limits limits;
  limits.history_events_max = 10'000'000;
  const definitions::Compiled compiled = definitions::compile(definition);
  MR_CHECK(compiled.program, "the definition is good");
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) run(*compiled.program, input, limits);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    times.push_back(spent.count() / repeats / steps);
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"bench\":\"decide\",\"what\":\"%s\",\"bytes\":%zu,\"steps\":%d,\"ns_per_step\":%.0f}\n",
              name, input.size(), steps, times[times.size() / 2]);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  const Payload document = document_of(1000);
  measure("pass adds a field", chain(R"("Result":{"result":#},"ResultPath":"$.field#",)"), document, kStates,
          2000, rounds);
  measure("pass changes nothing", chain(""), document, kStates, 2000, rounds);
  measure("pass with Parameters", chain(R"("Parameters":{"order.$":"$.order","n":#},"ResultPath":"$.p#",)"),
          document, kStates, 2000, rounds);
  measure("loop of Pass and Choice",
          R"j({"StartAt":"Init","States":{
            "Init":{"Type":"Pass","Parameters":{"n":0},"Next":"More"},
            "More":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":1000,"Next":"Add"}],"Default":"Done"},
            "Add":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n,1)"},"Next":"More"},
            "Done":{"Type":"Succeed"}}})j",
          document, 2000, 20, rounds);
  const std::string map = R"j({"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","End":true,
    "ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}})j";
  measure("map of 100", map, numbers(100), 100, 100, rounds);
  measure("map of 10000", map, numbers(10'000), 10'000, 1, rounds);
  return 0;
}
