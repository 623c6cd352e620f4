// Timestamps: what is read is written so that it reads back as the same instant.

#include "base/time.h"
#include "tests/fuzz/input.h"

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto time = parse_rfc3339(fuzz::text_of(data, size))) {
    const auto again = parse_rfc3339(format_rfc3339(*time));
    const bool four_digits =
        *time >= from_millis(-62'167'219'200'000) && *time < from_millis(253'402'300'800'000);
    MR_CHECK(!four_digits || (again && *again == *time), "a timestamp reads back");
  }
  return 0;
}
