// Intrinsic functions: a call, a newline, the input.

#include "definitions/intrinsics/intrinsic.h"

#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::definitions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [source, document] = fuzz::parts_of(data, size);
  const auto call = IntrinsicCall::parse(source);
  if (!call) return 0;
  const fuzz::World world(Payload::parse(document).value_or(Payload()));
  if (const Outcome result = call->evaluate(world.scope()))
    MR_CHECK(Payload::parse(result->text()).has_value(), "what a function answers is JSON");
  return 0;
}
