// Parquet: any bytes are rows or a refusal in words; what is read is JSON.

#include "orchestrator/maps/item_formats.h"
#include "orchestrator/maps/text_reader.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::orchestrator;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kRowsMax = 100;  // a run may say any number
  const auto items =
      read_parquet(std::make_unique<TextReader>(std::string(fuzz::text_of(data, size))), "s3://b/k", 1 << 20);
  for (int i = 0; i < kRowsMax; ++i) {
    const auto item = items->next();
    if (!item) {
      MR_CHECK(!item.error().cause.empty(), "a refusal says why");
      return 0;
    }
    if (!*item) return 0;
    MR_CHECK(Payload::parse((*item)->value.text()).has_value(), "a row is JSON");
  }
  return 0;
}
