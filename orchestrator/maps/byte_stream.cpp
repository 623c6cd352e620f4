#include "orchestrator/maps/byte_stream.h"

#include <zlib.h>

#include <cstring>

namespace millrace::orchestrator {
namespace {

class Unzipped final : public ByteReader {
 public:
  explicit Unzipped(std::unique_ptr<ByteReader> reader) : reader_(std::move(reader)) {}
  ~Unzipped() override {
    if (mode_ == Mode::Gzip) inflateEnd(&stream_);
  }

  Result<std::size_t> read(char* into, std::size_t most) override {
    if (mode_ == Mode::Unknown) MR_DO(look());
    if (mode_ == Mode::Plain) {
      if (left_ == 0) return reader_->read(into, most);
      const std::size_t n = std::min(left_, most);
      std::memcpy(into, input_ + at_, n);
      at_ += n;
      left_ -= n;
      return n;
    }
    return inflate_some(into, most);
  }

 private:
  enum class Mode { Unknown, Plain, Gzip };

  Status refill() {
    MR_TRY(got, reader_->read(input_, sizeof input_));
    at_ = 0;
    left_ = got;
    return {};
  }
  Status look() {
    while (left_ < 2) {  // a reader may give a byte at a time
      MR_TRY(got, reader_->read(input_ + left_, sizeof input_ - left_));
      if (got == 0) break;
      left_ += got;
    }
    const bool gzip = left_ >= 2 && input_[0] == '\x1f' && input_[1] == '\x8b';
    mode_ = Mode::Plain;
    if (!gzip) return {};
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) return fail(ErrorCode::Internal, "zlib can't be started");
    mode_ = Mode::Gzip;
    return {};
  }
  Result<std::size_t> inflate_some(char* into, std::size_t most) {
    stream_.next_out = reinterpret_cast<Bytef*>(into);
    stream_.avail_out = static_cast<uInt>(most);
    while (stream_.avail_out == most) {
      if (left_ == 0) MR_DO(refill());
      if (left_ == 0) {
        if (ended_) return std::size_t{0};
        return fail(ErrorCode::DataLoss, "the compressed file is cut off");
      }
      if (ended_) {  // another member follows, as in concatenated files
        inflateReset(&stream_);
        ended_ = false;
      }
      stream_.next_in = reinterpret_cast<Bytef*>(input_ + at_);
      stream_.avail_in = static_cast<uInt>(left_);
      const int code = inflate(&stream_, Z_NO_FLUSH);
      at_ += left_ - stream_.avail_in;
      left_ = stream_.avail_in;
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return fail(ErrorCode::DataLoss, "the compressed file is damaged");
      ended_ = code == Z_STREAM_END;
    }
    return most - stream_.avail_out;
  }

  std::unique_ptr<ByteReader> reader_;
  Mode mode_ = Mode::Unknown;
  z_stream stream_{};
  char input_[1 << 15];
  std::size_t at_ = 0, left_ = 0;
  bool ended_ = false;  // of a member
};

}  // namespace

std::unique_ptr<ByteReader> unzipped(std::unique_ptr<ByteReader> reader) {
  return std::make_unique<Unzipped>(std::move(reader));
}

}  // namespace millrace::orchestrator
