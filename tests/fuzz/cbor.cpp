// CBOR of CloudWatch's clients: what is read can be written, and comes back as it was.

#include "service/api/cbor.h"
#include "base/check.h"
#include "tests/fuzz/input.h"

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto document = api::read_cbor(fuzz::text_of(data, size));
  if (!document) return 0;
  const auto no_times = [](std::string_view) { return false; };
  const std::string written = api::write_cbor(document->view(), {no_times});
  const auto again = api::read_cbor(written);
  MR_CHECK(again && again->text() == document->text(), "what was read comes back");
  return 0;
}
