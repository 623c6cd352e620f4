#pragma once
// S3Body: the bytes of an object out of the body of a request, as they come: plain, or in aws-chunked, with
// everything checked that the client said of them: the hash that was signed, the signature of each chunk and
// of the trailer, Content-MD5, x-amz-checksum-* in the header or the trailer, the length. One thread at a
// time. Source: Amazon S3 API reference, "Signature calculations for the authorization header: transferring
// payload in multiple chunks", "Checking object integrity".
//
//   hexadecimal size;chunk-signature=64 digits CRLF bytes CRLF … 0;chunk-signature=… CRLF
//   x-amz-checksum-crc32:… CRLF x-amz-trailer-signature:… CRLF CRLF

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/crc.h"
#include "base/encoding.h"
#include "base/result.h"
#include "service/api/call.h"
#include "service/auth/caller.h"
#include "service/http/message.h"

namespace millrace::api {

using S3Status = std::optional<ApiError>;  // nothing: good

class S3Body {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;

  // What the header says of the body; an error when that can't be (InvalidRequest, InvalidDigest, …).
  static tl::expected<std::unique_ptr<S3Body>, ApiError> of(
      const http::Request& request, std::shared_ptr<const auth::ChunkSigning> signing);
  // The next bytes of the wire; the object's go to `sink`, whose error is the answer's.
  S3Status take(std::string_view wire, const Sink& sink);
  S3Status finish();  // nothing more comes: was it all, and what it was said to be?

  // After finish().
  const std::string& md5() const { return md5_text_; }                 // hexadecimal
  const std::string& checksum_name() const { return checksum_name_; }  // "x-amz-checksum-crc32"; empty: none
  const std::string& checksum() const { return checksum_text_; }       // base64

 private:
  S3Body() = default;
  enum class At { Size, Bytes, BytesEnd, Trailer, Done };
  S3Status read_header(const http::Request& request);
  S3Status choose_checksum(std::string_view name, std::string value);
  S3Status take_chunked(std::string_view wire, const Sink& sink);
  S3Status take_line(std::string_view line);
  S3Status begin_chunk(std::string_view line);
  S3Status end_chunk();
  S3Status take_trailer(std::string_view line);
  S3Status end_trailer();
  S3Status take_bytes(std::string_view bytes, const Sink& sink);

  bool chunked_ = false, signed_chunks_ = false, with_trailer_ = false;
  std::shared_ptr<const auth::ChunkSigning> signing_;  // null: signatures are read and not looked at
  std::string signature_;                              // of the chunk before
  At at_ = At::Size;
  std::string line_, chunk_signature_, trailer_, trailer_signature_;
  std::uint64_t left_ = 0, bytes_ = 0;
  std::optional<std::uint64_t> length_;  // x-amz-decoded-content-length
  std::optional<Hasher> chunk_hash_;

  std::string content_md5_, sha256_;           // raw, hexadecimal; empty: not said
  std::string checksum_name_, checksum_said_;  // value empty: it comes in the trailer, or is only wanted
  std::string checksum_text_, md5_text_;
  bool checksum_in_trailer_ = false;
  Hasher md5_{Digest::Md5};
  std::optional<Hasher> body_hash_, checksum_hash_;
  std::optional<Crc> crc_;
};

}  // namespace millrace::api
