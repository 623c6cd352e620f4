// JSONPath: a path, a newline, a document.

#include "definitions/jsonpath/path.h"

#include "definitions/jsonpath/reference_path.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::definitions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [source, document] = fuzz::parts_of(data, size);
  const auto path = Path::parse(source);
  const auto reference = ReferencePath::parse(source);
  if (!path && !reference) return 0;
  const auto input = Payload::parse(document);
  if (!input) return 0;
  if (path) {
    const fuzz::World world(*input);
    const Outcome found = path->evaluate(world.scope());
    if (found) MR_CHECK(Payload::parse(found->text()).has_value(), "what a path finds is JSON");
  }
  if (reference) {
    if (const Outcome put = reference->put(*input, Payload::literal("[1]")))
      MR_CHECK(Payload::parse(put->text()).has_value(), "what is put together is JSON");
  }
  return 0;
}
