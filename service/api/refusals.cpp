#include "service/api/refusals.h"

#include <iterator>

namespace millrace::api {
namespace {

struct RefusalRow {
  auth::Refusal::Kind kind;
  std::string_view json;  // AWS JSON: 400; REST JSON: 403
  struct {
    std::string_view code;
    int status;
  } query, s3;
};

using RefusalKind = auth::Refusal::Kind;
constexpr RefusalRow kRefusalRows[] = {
    {RefusalKind::Missing,
     "MissingAuthenticationTokenException",
     {"MissingAuthenticationToken", 403},
     {"AccessDenied", 403}},
    {RefusalKind::Incomplete,
     "IncompleteSignatureException",
     {"IncompleteSignature", 400},
     {"AuthorizationHeaderMalformed", 400}},
    {RefusalKind::UnknownKey,
     "UnrecognizedClientException",
     {"InvalidClientTokenId", 403},
     {"InvalidAccessKeyId", 403}},
    {RefusalKind::WrongScope,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"AuthorizationHeaderMalformed", 400}},
    {RefusalKind::WrongSignature,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"SignatureDoesNotMatch", 403}},
    {RefusalKind::OutOfTime,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"RequestTimeTooSkewed", 403}},
    {RefusalKind::WrongPayload,
     "InvalidSignatureException",
     {"SignatureDoesNotMatch", 403},
     {"XAmzContentSHA256Mismatch", 400}},
    {RefusalKind::NotAllowed, "AccessDeniedException", {"AccessDenied", 403}, {"AccessDenied", 403}},
};
static_assert(std::size(kRefusalRows) == static_cast<std::size_t>(RefusalKind::NotAllowed) + 1);

}  // namespace

ApiError refusal_error(const auth::Refusal& refusal, Protocol protocol) {
  const RefusalRow* row = kRefusalRows;
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
