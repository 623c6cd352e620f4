#include "service/api/s3/body.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "service/auth/signature.h"

namespace millrace::api {
namespace {

constexpr std::size_t kLineMax = 4096, kTrailerMax = 16 * 1024;
constexpr std::uint64_t kObjectBytesMax = std::uint64_t{5} << 40;
constexpr std::string_view kChecksum = "x-amz-checksum-";
constexpr std::string_view kTrailerSignature = "x-amz-trailer-signature";

struct ChecksumKind {
  std::string_view name;
  std::optional<Crc::Kind> crc;
  Digest digest;
  std::size_t bytes;
};
constexpr ChecksumKind kChecksums[] = {{"crc32", Crc::Kind::Crc32, {}, 4},
                                       {"crc32c", Crc::Kind::Crc32c, {}, 4},
                                       {"crc64nvme", Crc::Kind::Crc64Nvme, {}, 8},
                                       {"sha1", std::nullopt, Digest::Sha1, 20},
                                       {"sha256", std::nullopt, Digest::Sha256, 32}};

ApiError s3_error(std::string code, std::string message, int status = 400) {
  return {std::move(code), std::move(message), status};
}

ApiError malformed(const std::string& what) {
  return s3_error("IncompleteBody", "The body is not what its aws-chunked encoding says: " + what);
}

std::string lower_text(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::optional<std::uint64_t> number_of(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

tl::expected<std::unique_ptr<S3Body>, ApiError> S3Body::of(
    const http::Request& request, std::shared_ptr<const auth::ChunkSigning> signing) {
  std::unique_ptr<S3Body> body(new S3Body);
  body->signing_ = std::move(signing);
  if (auto wrong = body->read_header(request)) return tl::unexpected<ApiError>(*std::move(wrong));
  return body;
}

S3Status S3Body::read_header(const http::Request& request) {
  const std::string_view hash = request.header("x-amz-content-sha256");
  signed_chunks_ = hash.starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  chunked_ = hash.starts_with("STREAMING-");
  with_trailer_ = hash.ends_with("-TRAILER");
  const bool known = signed_chunks_ || hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
  if (chunked_ && !known)
    return s3_error("NotImplemented", "x-amz-content-sha256 '" + std::string(hash) + "' is not served", 501);
  if (hash.size() == 64) body_hash_.emplace(Digest::Sha256), sha256_ = hash;
  if (signing_) signature_ = signing_->seed;
  if (signed_chunks_) chunk_hash_.emplace(Digest::Sha256);
  if (const std::string_view text = request.header("x-amz-decoded-content-length"); !text.empty()) {
    length_ = number_of(text, 10);
    if (!length_) return s3_error("InvalidArgument", "x-amz-decoded-content-length is not a number");
  } else if (chunked_) {
    return s3_error("MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.",
                    411);
  }
  if (const std::string_view text = request.header("content-md5"); !text.empty()) {
    const auto raw = base64_decode(text);
    if (!raw || raw->size() != 16)
      return s3_error("InvalidDigest", "The Content-MD5 you specified is not valid.");
    content_md5_ = *raw;
  }
  for (const http::Header& header : request.headers) {
    if (!header.name.starts_with(kChecksum)) continue;
    const std::string_view name = std::string_view(header.name).substr(kChecksum.size());
    if (name == "algorithm" || name == "type" || name == "mode") continue;
    if (auto wrong = choose_checksum(name, header.value)) return wrong;
  }
  if (const std::string name = lower_text(trimmed(request.header("x-amz-trailer"), " \t")); !name.empty()) {
    if (!with_trailer_)
      return s3_error("InvalidRequest", "x-amz-trailer needs a body with a trailer (x-amz-content-sha256)");
    if (!name.starts_with(kChecksum))
      return s3_error("NotImplemented", "the trailer '" + name + "' is not served", 501);
    if (auto wrong = choose_checksum(std::string_view(name).substr(kChecksum.size()), "")) return wrong;
    checksum_in_trailer_ = true;
  }
  return std::nullopt;
}

S3Status S3Body::choose_checksum(std::string_view name, std::string value) {
  const auto* const kind = std::find_if(std::begin(kChecksums), std::end(kChecksums),
                                        [&](const ChecksumKind& k) { return k.name == name; });
  if (kind == std::end(kChecksums))
    return s3_error("NotImplemented", "the checksum '" + std::string(name) + "' is not served", 501);
  if (!checksum_name_.empty())
    return s3_error("InvalidRequest",
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  const auto raw = base64_decode(value);
  if (!value.empty() && (!raw || raw->size() != kind->bytes))
    return s3_error("InvalidRequest",
                    "Value for x-amz-checksum-" + std::string(name) + " header is invalid.");
  checksum_name_ = std::string(kChecksum) + std::string(name);
  checksum_said_ = std::move(value);
  if (kind->crc)
    crc_.emplace(*kind->crc);
  else
    checksum_hash_.emplace(kind->digest);
  return std::nullopt;
}

S3Status S3Body::take(std::string_view wire, const Sink& sink) {
  if (body_hash_) body_hash_->update(wire);
  return chunked_ ? take_chunked(wire, sink) : take_bytes(wire, sink);
}

S3Status S3Body::take_bytes(std::string_view bytes, const Sink& sink) {
  if (bytes.empty()) return std::nullopt;
  bytes_ += bytes.size();
  if (bytes_ > kObjectBytesMax || (length_ && bytes_ > *length_))
    return s3_error("EntityTooLarge",
                    "Your proposed upload exceeds the size that it was announced with, or 5 TiB");
  md5_.update(bytes);
  if (chunk_hash_) chunk_hash_->update(bytes);
  if (crc_) crc_->update(bytes);
  if (checksum_hash_) checksum_hash_->update(bytes);
  const Status taken = sink(bytes);
  if (taken) return std::nullopt;
  if (taken.error().code == ErrorCode::OutOfSpace)
    return s3_error("InsufficientStorage", taken.error().message, 507);
  return s3_error("InternalError", taken.error().message, 500);
}

S3Status S3Body::take_chunked(std::string_view wire, const Sink& sink) {
  while (!wire.empty()) {
    if (at_ == At::Done) return malformed("bytes behind its end");
    if (at_ == At::Bytes) {
      const std::string_view bytes = wire.substr(0, std::min<std::uint64_t>(left_, wire.size()));
      if (auto wrong = take_bytes(bytes, sink)) return wrong;
      left_ -= bytes.size();
      wire.remove_prefix(bytes.size());
      if (left_ > 0) continue;
      at_ = At::BytesEnd;
      if (auto wrong = end_chunk()) return wrong;
      continue;
    }
    const std::size_t end = wire.find('\n');
    line_.append(wire.substr(0, end));
    if (line_.size() > kLineMax) return malformed("a line is longer than 4096 bytes");
    if (end == std::string_view::npos) return std::nullopt;
    wire.remove_prefix(end + 1);
    if (!line_.ends_with('\r')) return malformed("a line does not end in CRLF");
    line_.pop_back();
    if (auto wrong = take_line(std::exchange(line_, {}))) return wrong;
  }
  return std::nullopt;
}

S3Status S3Body::take_line(std::string_view line) {
  switch (at_) {
    case At::Size:
      return begin_chunk(line);
    case At::BytesEnd:
      at_ = At::Size;
      return line.empty() ? std::nullopt : S3Status(malformed("a chunk is longer than its size"));
    case At::Trailer:
      return take_trailer(line);
    case At::Bytes:
    case At::Done:
      break;
  }
  return malformed("bytes behind its end");
}

S3Status S3Body::begin_chunk(std::string_view line) {
  const std::size_t semicolon = line.find(';');
  const auto size = number_of(line.substr(0, semicolon), 16);
  if (!size || *size > kObjectBytesMax) return malformed("a chunk's size is no hexadecimal number");
  chunk_signature_.clear();
  constexpr std::string_view kExtension = "chunk-signature=";
  if (semicolon != std::string_view::npos && line.substr(semicolon + 1).starts_with(kExtension))
    chunk_signature_ = line.substr(semicolon + 1 + kExtension.size());
  if (signed_chunks_ && chunk_signature_.size() != 64) return malformed("a chunk has no signature");
  left_ = *size;
  if (*size > 0) {
    at_ = At::Bytes;
    return std::nullopt;
  }
  at_ = At::Trailer;
  return end_chunk();
}

// Its bytes are there: compares its signature.
S3Status S3Body::end_chunk() {
  if (!chunk_hash_) return std::nullopt;
  const std::string hash = chunk_hash_->finish_hex();
  chunk_hash_.emplace(Digest::Sha256);
  if (!signing_) return std::nullopt;
  const std::string to_sign = "AWS4-HMAC-SHA256-PAYLOAD\n" + signing_->time + "\n" + signing_->scope + "\n" +
                              signature_ + "\n" + digest_hex(Digest::Sha256, "") + "\n" + hash;
  signature_ = auth::signature_of(signing_->key, to_sign);
  if (equal_in_constant_time(signature_, chunk_signature_)) return std::nullopt;
  return s3_error("SignatureDoesNotMatch", "The signature of a chunk of the body does not match its bytes",
                  403);
}

S3Status S3Body::take_trailer(std::string_view line) {
  if (line.empty()) return end_trailer();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !with_trailer_) return malformed("its trailer");
  const std::string name = lower_text(trimmed(line.substr(0, colon), " \t"));
  const std::string_view value = trimmed(line.substr(colon + 1), " \t");
  if (name == kTrailerSignature) {
    trailer_signature_ = value;
    return std::nullopt;
  }
  trailer_.append(name).append(":").append(value).append("\n");
  if (trailer_.size() > kTrailerMax) return malformed("its trailer is longer than 16 KiB");
  if (name == checksum_name_ && checksum_in_trailer_) checksum_said_ = value;
  return std::nullopt;
}

S3Status S3Body::end_trailer() {
  at_ = At::Done;
  if (!with_trailer_ || !signed_chunks_ || !signing_) return std::nullopt;
  const std::string to_sign = "AWS4-HMAC-SHA256-TRAILER\n" + signing_->time + "\n" + signing_->scope + "\n" +
                              signature_ + "\n" + digest_hex(Digest::Sha256, trailer_);
  if (equal_in_constant_time(auth::signature_of(signing_->key, to_sign), trailer_signature_))
    return std::nullopt;
  return s3_error("SignatureDoesNotMatch", "The signature of the trailer does not match", 403);
}

S3Status S3Body::finish() {
  // Some clients leave out the empty line behind a body without a trailer.
  const bool at_end = at_ == At::Done || (at_ == At::Trailer && !with_trailer_ && line_.empty());
  if (chunked_ && !at_end) return malformed("it ends too early");
  if (length_ && bytes_ != *length_)
    return s3_error(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header");
  if (body_hash_ && body_hash_->finish_hex() != sha256_)
    return s3_error("XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.");
  const std::string md5 = md5_.finish();
  md5_text_ = hex_encode(md5);
  if (!content_md5_.empty() && content_md5_ != md5)
    return s3_error("BadDigest", "The Content-MD5 you specified did not match what we received.");
  if (crc_) checksum_text_ = base64_encode(crc_->bytes());
  if (checksum_hash_) checksum_text_ = base64_encode(checksum_hash_->finish());
  if (checksum_in_trailer_ && checksum_said_.empty())
    return s3_error("InvalidRequest", "The trailer lacks " + checksum_name_);
  if (!checksum_said_.empty() && checksum_said_ != checksum_text_)
    return s3_error("BadDigest", "The " + lower_text(checksum_name_).substr(kChecksum.size()) +
                                     " you specified did not match the calculated checksum.");
  return std::nullopt;
}

}  // namespace millrace::api
