// Parquet: any bytes are rows or a refusal in words; what is read is JSON.

#include "orchestrator/maps/item_formats.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

class Bytes final : public ByteReader {
 public:
  explicit Bytes(std::string_view text) : text_(text) {}
  Result<std::size_t> read(char* into, std::size_t most) override {
    const std::size_t count = text_.copy(into, most, at_);
    at_ += count;
    return count;
  }
  Result<std::uint64_t> size() override { return std::uint64_t{text_.size()}; }
  Status seek(std::uint64_t offset) override {
    at_ = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text_.size()));
    return {};
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kRowsMax = 100;  // a run may say any number
  const auto items = read_parquet(std::make_unique<Bytes>(fuzz::text_of(data, size)), "s3://b/k", 1 << 20);
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
