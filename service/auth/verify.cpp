#include "service/auth/verify.h"

#include <algorithm>

#include "base/encoding.h"

namespace millrace::auth {
namespace {

using RefusalKind = Refusal::Kind;

constexpr std::string_view kHashHeader = "x-amz-content-sha256";
constexpr std::string_view kUnsigned = "UNSIGNED-PAYLOAD";
// What S3 takes in the place of a body's hash.
constexpr std::string_view kNoHash[] = {kUnsigned, "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"};

// Whether a request means something else with another value of this header.
bool must_be_signed(std::string_view name, bool presigned) {
  // Session tokens say nothing here; whoever uses a presigned URL has a content type of his own.
  if (name == "x-amz-security-token") return false;
  return name == "host" || name.starts_with("x-amz-") || (name == "content-type" && !presigned);
}

std::optional<Refusal> check_headers(const http::Request& request, const SignedClaim& claim) {
  const auto is_signed = [&](std::string_view name) {
    return std::binary_search(claim.headers.begin(), claim.headers.end(), name);
  };
  if (!is_signed("host"))
    return Refusal{RefusalKind::Incomplete, "'Host' must be a 'SignedHeader' in the request"};
  for (const http::Header& header : request.headers) {
    if (must_be_signed(header.name, claim.presigned) && !is_signed(header.name))
      return Refusal{RefusalKind::Incomplete,
                     "'" + header.name + "' must be a 'SignedHeader' in the request"};
  }
  for (const std::string& name : claim.headers) {
    const auto has = [&](const http::Header& header) { return header.name == name; };
    if (std::none_of(request.headers.begin(), request.headers.end(), has))
      return Refusal{RefusalKind::Incomplete, "The signed header '" + name + "' is not in the request"};
  }
  return std::nullopt;
}

std::string minutes(Millis time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::minutes>(time).count()) + " min.";
}

std::optional<Refusal> check_time(const SignedClaim& claim, const VerifyRules& rules) {
  const Instant now = std::chrono::floor<std::chrono::seconds>(rules.now);
  const std::string then = claim.time, clock = format_basic_time(now);
  const Millis valid = claim.presigned ? Millis(claim.expires_seconds * 1000) : rules.skew;
  if (claim.at < now - valid)
    return Refusal{RefusalKind::OutOfTime,
                   "Signature expired: " + then + " is now earlier than " + format_basic_time(now - valid) +
                       " (" + clock + " - " +
                       (claim.presigned ? std::to_string(claim.expires_seconds) + " s" : minutes(valid)) +
                       ")"};
  if (claim.at > now + rules.skew)
    return Refusal{RefusalKind::OutOfTime, "Signature not yet current: " + then + " is still later than " +
                                               format_basic_time(now + rules.skew) + " (" + clock + " + " +
                                               minutes(rules.skew) + ")"};
  return std::nullopt;
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// The canonical request's last line; nothing when the body is not what the header says.
std::optional<std::string> payload_hash(const http::Request& request, const SignedClaim& claim, bool s3) {
  const std::string_view said = request.header(kHashHeader);
  if (s3 && said.empty() && claim.presigned) return std::string(kUnsigned);
  if (s3 && std::find(std::begin(kNoHash), std::end(kNoHash), said) != std::end(kNoHash))
    return std::string(said);
  // The body has not come yet: who reads it checks what it was said to be.
  if (s3 && request.body_follows) return is_hash(said) ? std::optional(std::string(said)) : std::nullopt;
  std::string hash = digest_hex(Digest::Sha256, request.body);
  if (!said.empty() && said != hash) return std::nullopt;
  return hash;
}

}  // namespace

std::optional<Refusal> verify(const http::Request& request, const SignedClaim& claim, std::string_view secret,
                              const VerifyRules& rules) {
  const bool s3 = rules.service == "s3";
  if (claim.service != rules.service)
    return Refusal{RefusalKind::WrongScope,
                   "Credential should be scoped to correct service: '" + std::string(rules.service) + "'."};
  if (auto wrong = check_headers(request, claim)) return wrong;
  if (auto wrong = check_time(claim, rules)) return wrong;
  // What the signature can't tell apart must not be different things to the service behind.
  if (!s3 && normal_path(request.path) != request.path)
    return Refusal{RefusalKind::Incomplete,
                   "The path is not in its normal form: it has empty, '.' or '..' segments"};
  const auto hash = payload_hash(request, claim, s3);
  if (!hash)
    return Refusal{RefusalKind::WrongPayload,
                   "The provided 'x-amz-content-sha256' header does not match what was computed."};
  const std::string canonical = canonical_request(request, claim, *hash, s3);
  const std::string to_sign = string_to_sign(claim, canonical);
  const std::string key = signing_key(secret, claim.date, claim.region, claim.service);
  if (equal_in_constant_time(signature_of(key, to_sign), claim.signature)) return std::nullopt;
  return Refusal{
      RefusalKind::WrongSignature,
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
      "Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String "
      "for this request should have been\n'" +
          canonical + "'\n\nThe String-to-Sign should have been\n'" + to_sign + "'\n"};
}

}  // namespace millrace::auth
