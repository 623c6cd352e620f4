// Definitions: whatever the text, there is a program, or an error with a place in the text.

#include "definitions/compile.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::definitions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const Compiled compiled = compile(text);
  bool refused = false;
  for (const Diagnostic& diagnostic : compiled.diagnostics) {
    refused = refused || diagnostic.severity == Severity::Error;
    MR_CHECK(!diagnostic.message.empty(), "a diagnostic says what is wrong");
    MR_CHECK(!render(diagnostic, "definition.json", text).empty(), "a diagnostic can be shown");
  }
  MR_CHECK(refused == !compiled.program, "no program if, and only if, there is an error");
  return 0;
}
