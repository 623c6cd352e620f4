#include "service/streams/object_batch.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/encoding.h"
#include "service/bus/delivery.h"

namespace millrace::streams {

std::string object_key(const ObjectPlan& plan, const std::string& name, const std::string& key,
                       Instant first) {
  const std::string time = format_rfc3339(first);  // 2026-11-21T19:56:01.123Z
  const auto formatted = [&](std::string pattern) {
    const std::pair<const char*, std::string> parts[] = {
        {"yyyy", time.substr(0, 4)}, {"MM", time.substr(5, 2)},  {"dd", time.substr(8, 2)},
        {"HH", time.substr(11, 2)},  {"mm", time.substr(14, 2)}, {"ss", time.substr(17, 2)}};
    for (const auto& [from, to] : parts)
      for (std::size_t at; (at = pattern.find(from)) != std::string::npos;)
        pattern.replace(at, std::string(from).size(), to);
    pattern.erase(std::remove(pattern.begin(), pattern.end(), '\''), pattern.end());
    return pattern;
  };
  std::string prefix;
  bool timed = false;
  for (std::size_t at = 0; at < plan.prefix.size();) {
    const std::size_t end =
        plan.prefix.compare(at, 2, "!{") == 0 ? plan.prefix.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      prefix += plan.prefix[at++];
      continue;
    }
    const std::string expression = plan.prefix.substr(at + 2, end - at - 2);
    if (expression.starts_with("timestamp:")) {
      prefix += formatted(expression.substr(10));
      timed = true;
    } else if (expression == "firehose:random-string") {
      prefix += digest_hex(Digest::Sha256, "random/" + key).substr(0, 11);
    }
    at = end + 1;
  }
  if (!timed) prefix += formatted("yyyy/MM/dd/HH/");
  return prefix + name + "-1-" + formatted("yyyy-MM-dd-HH-mm-ss") + "-" + bus::uuid_named(key) +
         (plan.gzip && plan.extension.empty() ? ".gz" : plan.extension);
}

Result<std::string> gzip_of(std::string_view bytes) {
  constexpr int kGzipWindow = 15 + 16, kMemory = 8;
  z_stream stream{};
  if (bytes.size() > std::numeric_limits<uInt>::max() ||
      ::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) !=
          Z_OK)
    return fail(ErrorCode::Internal, "an object can't be compressed");
  std::string out(::deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (ended != Z_STREAM_END) return fail(ErrorCode::Internal, "an object can't be compressed");
  return out;
}

}  // namespace millrace::streams
