#include "service/api/refusals.h"

#include <iterator>

namespace millrace::api {
namespace {

struct Row {
  auth::Refusal::Kind kind;
  std::string_view json;  // AWS JSON: 400; REST JSON: 403
  struct {
    std::string_view code;
    int status;
  } query, s3;
};

using Kind = auth::Refusal::Kind;
constexpr Row kRows[] = {
    {Kind::Missing,
     "MissingAuthenticationTokenException",
     {"MissingAuthenticationToken", 403},
     {"AccessDenied", 403}},
    {Kind::Incomplete,
     "IncompleteSignatureException",
     {"IncompleteSignature", 400},
     {"AuthorizationHeaderMalformed", 400}},
    {Kind::UnknownKey,
     "UnrecognizedClientException",
     {"InvalidClientTokenId", 403},
     {"InvalidAccessKeyId", 403}},
    {Kind::WrongScope,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"AuthorizationHeaderMalformed", 400}},
    {Kind::WrongSignature,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"SignatureDoesNotMatch", 403}},
    {Kind::OutOfTime,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"RequestTimeTooSkewed", 403}},
    {Kind::WrongPayload,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"XAmzContentSHA256Mismatch", 400}},
    {Kind::NotAllowed, "AccessDeniedException", {"AccessDenied", 403}, {"AccessDenied", 403}},
};
static_assert(std::size(kRows) == static_cast<std::size_t>(Kind::NotAllowed) + 1);

}  // namespace

ApiError refusal_error(const auth::Refusal& refusal, Protocol protocol) {
  const Row* row = kRows;
  while (row->kind != refusal.kind) ++row;
  switch (protocol) {
    case Protocol::AwsJson10:
    case Protocol::AwsJson11:
      return {std::string(row->json), refusal.message, 400};
    case Protocol::RestJson:
      return {std::string(row->json), refusal.message, 403};
    case Protocol::Query:
      return {std::string(row->query.code), refusal.message, row->query.status};
    case Protocol::RestXml:
      return {std::string(row->s3.code), refusal.message, row->s3.status};
  }
  return {"AccessDenied", refusal.message, 403};
}

}  // namespace millrace::api
