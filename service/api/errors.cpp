#include "service/api/errors.h"

#include "base/log.h"

namespace millrace::api {
namespace {

// The text says itself what it is about, whoever met it.
std::string_view name_in_text(std::string_view message) {
  static constexpr std::pair<std::string_view, std::string_view> kBeginnings[] = {
      {"Invalid Arn: ", "InvalidArn"},
      {"Invalid Name: ", "InvalidName"},
      {"Invalid Token: ", "InvalidToken"},
      {"Invalid State Machine Definition", "InvalidDefinition"},
      {"Invalid State Machine Execution Input", "InvalidExecutionInput"},
      {"State Machine Does Not Exist", "StateMachineDoesNotExist"},
      {"Execution Does Not Exist", "ExecutionDoesNotExist"},
      {"Activity Does Not Exist", "ActivityDoesNotExist"},
      {"State Machine is being deleted", "StateMachineDeleting"},
      {"Resource not found", "ResourceNotFound"},
      {"This operation is not supported by this type of state machine", "StateMachineTypeNotSupported"},
  };
  for (const auto& [beginning, name] : kBeginnings) {
    if (message.starts_with(beginning)) return name;
  }
  if (message.find("validation error detected: ") != std::string_view::npos) return "ValidationException";
  return {};
}

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
  std::string_view name = name_in_text(error.message);
  if (name.empty()) name = name_by_code(error.code, names);
  if (!name.empty()) return {std::string(name), error.message, 400};
  log::error("a call failed", {{"code", std::string(name_of(error.code))}, {"error", error.message}});
  if (error.code == ErrorCode::Unavailable) return {"ServiceUnavailable", error.message, 503};
  return {"InternalFailure", error.message, 500};
}

}  // namespace millrace::api
