// Choice rules: a rule, a newline, the input. Both are JSON.

#include "definitions/choice_rule.h"

#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::definitions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [source, document] = fuzz::parts_of(data, size);
  const auto rule = Payload::parse(source);
  if (!rule || !rule->view().is_object()) return 0;
  std::vector<Problem> problems;
  const ChoiceRule compiled = ChoiceRule::compile(rule->view(), problems);
  if (!problems.empty()) return 0;
  const fuzz::World world(Payload::parse(document).value_or(Payload()));
  const auto holds = compiled.evaluate(world.scope());
  MR_CHECK(holds || !holds.error().error.empty(), "a failure has a name");
  return 0;
}
