// How fast events find their rules: 1,000 rules of an ordinary mix (source and detail type, numbers,
// prefixes, a few that no index helps with), events of which each meets a handful. One JSON line.
//   millrace_bench_patterns [events]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/check.h"
#include "triggers/rule_index.h"

using namespace millrace;
using namespace millrace::triggers;

namespace {

constexpr int kRules = 1000;

std::string rule_text(int i) {
  const std::string n = std::to_string(i % 200), m = std::to_string(i % 40);
  switch (i % 10) {
    case 0:
      return R"({"source":["shop.)" + n + R"("],"detail":{"total":[{"numeric":[">",)" + m + R"(]}]}})";
    case 1:
      return R"({"detail-type":["Order )" + m +
             R"("],"detail":{"customer":{"country":[{"anything-but":["DE"]}]}}})";
    case 2:
      return R"({"source":[{"prefix":"shop.)" + n + R"("}],"detail":{"file":[{"suffix":".)" + m + R"("}]}})";
    case 3:
      return R"({"source":["shop.)" + n +
             R"("],"detail":{"$or":[{"total":[{"numeric":["<",5]}]},{"state":["open"]}]}})";
    default:
      return R"({"source":["shop.)" + n + R"("],"detail-type":["Order )" + m + R"("]})";
  }
}

std::string event_text(int i) {
  const std::string n = std::to_string(i * 7 % 200), m = std::to_string(i * 3 % 40);
  return R"({"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"Order )" + m +
         R"(","source":"shop.)" + n +
         R"(","account":"123456789012","time":"2026-11-21T16:00:00Z","region":"us-east-1","resources":["arn:aws:s3:::b"],"detail":{"total":)" +
         std::to_string(i % 100) + R"(,"state":"open","file":"a/b/c.)" + m +
         R"(","customer":{"country":"FR","name":"Ada"},"lines":[{"sku":"a","count":1},{"sku":"b","count":2}]}})";
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 200'000;
  std::vector<Pattern> patterns;
  for (int i = 0; i < kRules; ++i) {
    auto compiled = compile_pattern(rule_text(i));
    MR_CHECK(compiled.has_value(), "the pattern is good");
    patterns.push_back(std::move(*compiled));
  }
  std::vector<const Pattern*> all;
  for (const Pattern& pattern : patterns) all.push_back(&pattern);
  const auto made_from = std::chrono::steady_clock::now();
  const RuleIndex index(all);
  const double made_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - made_from).count();
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(event_text(i));
  std::vector<std::uint32_t> found;
  std::uint64_t matches = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const auto event = Payload::parse(texts[static_cast<std::size_t>(i) % texts.size()]);
    index.match(event->view(), found);
    matches += found.size();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf(
      R"({"bench":"patterns","rules":%d,"events_per_s":%.0f,"matches_per_event":%.2f,"index_ms":%.2f})"
      "\n",
      kRules, count / seconds, static_cast<double>(matches) / count, made_ms);
  return count / seconds >= 20'000 ? 0 : 1;
}
