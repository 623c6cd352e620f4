#include "service/client/access.h"

namespace millrace::client {
namespace {

struct Meaning {
  std::string_view end;  // of the error's name
  ErrorCode code;
  std::string_view hint;
};

constexpr std::string_view kWhichKeys =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of this server, or name one with --profile";

// The first row whose text ends the name counts.
constexpr Meaning kMeanings[] = {
    {"AccessDeniedException", ErrorCode::InvalidArgument,
     "this key may not do that: ask whoever runs the server, or use another key (--profile)"},
    {"AccessDenied", ErrorCode::InvalidArgument,
     "this key may not do that: ask whoever runs the server, or use another key (--profile)"},
    {"UnrecognizedClientException", ErrorCode::InvalidArgument, kWhichKeys},
    {"InvalidClientTokenId", ErrorCode::InvalidArgument, kWhichKeys},
    {"InvalidSignatureException", ErrorCode::InvalidArgument,
     "the secret key is not the one of this key, or this machine's clock is wrong"},
    {"SignatureDoesNotMatch", ErrorCode::InvalidArgument,
     "the secret key is not the one of this key, or this machine's clock is wrong"},
    {"MissingAuthenticationTokenException", ErrorCode::InvalidArgument, kWhichKeys},
    {"MissingAuthenticationToken", ErrorCode::InvalidArgument, kWhichKeys},
    {"IncompleteSignatureException", ErrorCode::InvalidArgument, kWhichKeys},
    {"ExpiredTokenException", ErrorCode::InvalidArgument, "the session is over: get new credentials"},
    {"UnknownOperationException", ErrorCode::InvalidArgument,
     "the server does not offer this; is it as new as this program? `millrace --version`"},
    {"ExecutionDoesNotExist", ErrorCode::NotFound, "`millrace list` shows the executions"},
    {"StateMachineDoesNotExist", ErrorCode::NotFound, "`millrace list machines` shows them"},
    {"DoesNotExist", ErrorCode::NotFound, ""},
    {"ResourceNotFound", ErrorCode::NotFound, ""},
    {"ResourceNotFoundException", ErrorCode::NotFound, ""},
    {"AlreadyExists", ErrorCode::AlreadyExists, ""},
    {"ResourceAlreadyExistsException", ErrorCode::AlreadyExists, ""},
    {"ConflictException", ErrorCode::Conflict, "someone else changes it: try again"},
    {"StateMachineDeleting", ErrorCode::Conflict, "its executions are being stopped: try again in a moment"},
    {"LimitExceeded", ErrorCode::LimitExceeded, ""},
    {"ServiceQuotaExceededException", ErrorCode::LimitExceeded, ""},
    {"ThrottlingException", ErrorCode::Unavailable, "the server is busy: try again in a moment"},
    {"ServiceUnavailable", ErrorCode::Unavailable, "the server is busy or stopping: try again in a moment"},
};

}  // namespace

Error error_of_aws(std::string_view code, std::string_view message, int status) {
  Error error{status >= 500 ? ErrorCode::Unavailable : ErrorCode::InvalidArgument, std::string(message), {}};
  if (status == 403) error.hint = kWhichKeys;
  for (const Meaning& meaning : kMeanings) {
    if (!code.ends_with(meaning.end)) continue;
    error.code = meaning.code;
    error.hint = meaning.hint;
    break;
  }
  // What follows the first paragraph of a refused signature is of use to those who write clients.
  error.message.resize(std::min(error.message.size(), error.message.find("\n\n")));
  if (error.message.empty()) error.message = "refused by the server";
  if (!code.empty()) error.message += " (" + std::string(code) + ")";
  return error;
}

bool is_aws_error(const Error& error, std::string_view code) {
  return error.message.ends_with("(" + std::string(code) + ")");
}

}  // namespace millrace::client
