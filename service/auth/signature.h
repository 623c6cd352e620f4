#pragma once
// Signature Version 4: what a signed request says of itself, its canonical form, and what its signature must
// be. Pure; any thread. Source: AWS, "Create a signed AWS API request"; RFC 3986 for the encoding.
//
//   Authorization: AWS4-HMAC-SHA256 Credential=KEY/20150830/us-east-1/SERVICE/aws4_request,
//                  SignedHeaders=host;x-amz-date, Signature=64 hexadecimal digits
//
// or the same as X-Amz-* parameters of a presigned URL.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "base/sigv4.h"
#include "base/time.h"
#include "service/auth/refusal.h"
#include "service/http/message.h"

namespace millrace::auth {

struct SignedClaim {
  bool presigned = false;
  std::string key_id, date, region, service;  // the scope: KEY/date/region/service/aws4_request
  std::vector<std::string> headers;           // signed ones, in their order
  std::string signature;                      // 64 lower-case hexadecimal digits
  std::string time;                           // "20150830T123600Z"
  Instant at{};                               // the same
  std::int64_t expires_seconds = 0;           // of presigned ones
  std::string scope() const { return date + "/" + region + "/" + service + "/aws4_request"; }
};

// Reads the claim strictly: each part once, nothing else. Refusal: Missing, Incomplete, or WrongScope (of
// another day).
tl::expected<SignedClaim, Refusal> read_claim(const http::Request& request);

// `payload_hash`: the last line. `s3`: the path is encoded once and not normalised.
std::string canonical_request(const http::Request& request, const SignedClaim& claim,
                              std::string_view payload_hash, bool s3);
std::string string_to_sign(const SignedClaim& claim, std::string_view canonical);
using millrace::format_basic_time, millrace::signature_of, millrace::signing_key;

// The path without empty, "." and ".." segments.
std::string normal_path(std::string_view path);
// "20150830T123600Z"; nothing where the text is something else, a leap second too.
std::optional<Instant> parse_basic_time(std::string_view text);

}  // namespace millrace::auth
