#include "service/api/inflate.h"

#include <zlib.h>

#include <algorithm>

namespace millrace::api {
namespace {

struct InflateStream {
  z_stream stream{};
  bool open = false;
  InflateStream() { open = inflateInit2(&stream, 15 + 16) == Z_OK; }
  ~InflateStream() {
    if (open) inflateEnd(&stream);
  }
};

}  // namespace

Result<std::string> inflate_body(std::string_view gzip, std::size_t bytes_max) {
  InflateStream inflater;
  if (!inflater.open) return fail(ErrorCode::Internal, "zlib can't be started");
  z_stream& stream = inflater.stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
  stream.avail_in = static_cast<uInt>(gzip.size());
  std::string out;
  for (int code = Z_OK; code != Z_STREAM_END;) {
    const std::size_t begin = out.size();
    if (begin > bytes_max)
      return invalid("the body becomes larger than " + std::to_string(bytes_max) +
                     " bytes when it is unpacked");
    out.resize(begin + std::max<std::size_t>(4096, std::min<std::size_t>(gzip.size() * 4, 1 << 20)));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + begin);
    stream.avail_out = static_cast<uInt>(out.size() - begin);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    const bool stuck = code == Z_BUF_ERROR || (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0);
    if ((code != Z_OK && code != Z_STREAM_END) || stuck) return invalid("the body is no whole gzip");
  }
  if (stream.avail_in > 0) return invalid("there is more behind the gzip body's end");
  if (out.size() > bytes_max)
    return invalid("the body becomes larger than " + std::to_string(bytes_max) +
                   " bytes when it is unpacked");
  return out;
}

}  // namespace millrace::api
