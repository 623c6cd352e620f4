#pragma once
// TextReader: a ByteReader over a text in memory, kept by the reader. One thread.

#include <algorithm>
#include <string>

#include "orchestrator/maps/object_source.h"

namespace millrace::orchestrator {

class TextReader final : public ByteReader {
 public:
  explicit TextReader(std::string text) : text_(std::move(text)) {}
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
  const std::string text_;
  std::size_t at_ = 0;
};

}  // namespace millrace::orchestrator
