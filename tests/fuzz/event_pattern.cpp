// Event patterns: a pattern, a newline, an event. What compiles matches the same alone and beside another
// one.

#include "base/check.h"
#include "tests/fuzz/input.h"
#include "triggers/rule_index.h"

using namespace millrace;
using namespace millrace::triggers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [source, document] = fuzz::parts_of(data, size);
  const auto pattern = compile_pattern(source);
  if (!pattern) {
    MR_CHECK(pattern.error().message.starts_with("Event pattern is not valid. Reason: "),
             "errors have AWS's words");
    return 0;
  }
  const auto event = Payload::parse(document);
  if (!event) return 0;
  const bool alone = matches(*pattern, event->view());
  static const Pattern kOther = *compile_pattern(R"({"source":["a",{"prefix":"b"}],"detail":{"x":[1]}})");
  const RuleIndex index({&kOther, &*pattern, &kOther});
  std::vector<std::uint32_t> found;
  index.match(event->view(), found);
  const bool beside = std::find(found.begin(), found.end(), 1u) != found.end();
  MR_CHECK(alone == beside, "an index changes no verdict");
  return 0;
}
