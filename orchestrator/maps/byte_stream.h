#pragma once
// A buffer over a ByteReader: characters one by one, and what goes wrong below kept for the end.

#include <memory>
#include <string>
#include <vector>

#include "orchestrator/maps/object_source.h"

namespace millrace::orchestrator {

class ByteStream {
 public:
  explicit ByteStream(std::unique_ptr<ByteReader> reader)
      : reader_(std::move(reader)), buffer_(kBufferBytes) {}

  static constexpr int kEnd = -1;
  // The next character without taking it; kEnd after the last one, or when reading failed.
  int peek() {
    if (at_ == end_ && !fill()) return kEnd;
    return static_cast<unsigned char>(buffer_[at_]);
  }
  int take() {
    const int c = peek();
    if (c != kEnd) {
      ++at_;
      ++position_;
    }
    return c;
  }
  // What is in the buffer now, for those who look at many characters at once; taken with skip().
  std::string_view ahead() {
    if (at_ == end_) fill();
    return {buffer_.data() + at_, end_ - at_};
  }
  void skip(std::size_t bytes) {
    at_ += bytes;
    position_ += bytes;
  }
  void skip_byte_order_mark() {
    if (ahead().starts_with("\xEF\xBB\xBF")) skip(3);
  }
  std::uint64_t position() const { return position_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 16;
  bool fill() {
    if (error_ || done_) return false;
    auto got = reader_->read(buffer_.data(), buffer_.size());
    at_ = end_ = 0;
    if (!got) {
      error_ = got.error();
      return false;
    }
    end_ = *got;
    done_ = end_ == 0;
    return !done_;
  }
  std::unique_ptr<ByteReader> reader_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::uint64_t position_ = 0;
  std::optional<Error> error_;
  bool done_ = false;
};

// Reads a gzip file; anything else is passed through as it is.
std::unique_ptr<ByteReader> unzipped(std::unique_ptr<ByteReader> reader);

}  // namespace millrace::orchestrator
