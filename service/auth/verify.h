#pragma once
// Whether a request bears the signature that its claim says. Pure; any thread. Source: AWS, "Create a signed
// AWS API request"; Amazon S3 API reference, "Authenticating requests".

#include <optional>
#include <string_view>

#include "service/auth/signature.h"

namespace millrace::auth {

struct VerifyRules {
  std::string_view service;  // that the request is for; "s3" has rules of its own
  Instant now;
  Millis skew;  // how far the clocks may be apart, each way
};

// Every header that changes what a request means must be signed: host, content-type and all x-amz-*. The
// body's hash is computed, not believed; S3 may leave it out (UNSIGNED-PAYLOAD) or sign it in chunks
// (STREAMING-…), where the signature here is the seed of the chunks'; of a body that S3 still reads
// (Request::body_follows) the hash is believed, and compared by who reads it. Refusal: Incomplete,
// WrongScope, OutOfTime, WrongPayload, WrongSignature (the message shows what was signed, as AWS's does).
// Takes the same time wherever a wrong signature differs.
std::optional<Refusal> verify(const http::Request& request, const SignedClaim& claim, std::string_view secret,
                              const VerifyRules& rules);

}  // namespace millrace::auth
