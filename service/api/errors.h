#pragma once
// From the engine's errors to the API's: which of AWS's names an ErrorCode has here. Pure.

#include "service/api/call.h"

namespace millrace::api {

// The names of one kind of call; what is empty does not happen there (and would be InternalFailure).
struct ErrorNames {
  std::string_view invalid = "ValidationException";
  std::string_view not_found = {};
  std::string_view already_exists = {};
  std::string_view conflict = "ConflictException";
  std::string_view limit = "ServiceQuotaExceededException";
};

// 400 with the name for what the caller can change; 500 and 503 for what he cannot.
ApiError api_error(const Error& error, const ErrorNames& names);
inline tl::unexpected<ApiError> refuse(const Error& error, const ErrorNames& names) {
  return tl::unexpected<ApiError>(api_error(error, names));
}

// The names for calls about one kind of resource.
inline constexpr ErrorNames kMachineErrors = {"InvalidDefinition", "StateMachineDoesNotExist",
                                              "StateMachineAlreadyExists"};
inline constexpr ErrorNames kExecutionErrors = {"InvalidArn", "ExecutionDoesNotExist",
                                                "ExecutionAlreadyExists", "ConflictException",
                                                "ExecutionLimitExceeded"};

}  // namespace millrace::api
