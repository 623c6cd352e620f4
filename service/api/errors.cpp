#include "service/api/errors.h"

#include "base/log.h"
#include "orchestrator/aws_errors.h"

namespace millrace::api {
namespace {

std::string_view name_by_code(ErrorCode code, const ErrorNames& names) {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return names.invalid;
    case ErrorCode::NotFound:
      return names.not_found;
    case ErrorCode::AlreadyExists:
      return names.already_exists;
    case ErrorCode::Conflict:
      return names.conflict;
    case ErrorCode::LimitExceeded:
      return names.limit;
    default:
      return {};
  }
}

}  // namespace

ApiError api_error(const Error& error, const ErrorNames& names) {
  std::string_view name = orchestrator::aws_name_in_text(error.message);
  if (name.empty()) name = name_by_code(error.code, names);
  if (!name.empty()) return {std::string(name), error.message, 400};
  // What is said of the machine has names of files in it: that is the log's business. A full disk is told
  // there by who met it, not by every caller.
  if (error.code == ErrorCode::OutOfSpace)
    return {"ServiceUnavailable", "The disk is full; nothing was recorded. Try again when there is space",
            503};
  log::error("a call failed", {{"code", std::string(name_of(error.code))}, {"error", error.message}});
  if (error.code == ErrorCode::Unavailable) return {"ServiceUnavailable", error.message, 503};
  return {"InternalFailure", "The server can't read or write its state; its log says more", 500};
}

}  // namespace millrace::api
