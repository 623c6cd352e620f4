#pragma once
// Failure: a workflow's own failure as data (`Error` and `Cause` of the Amazon States Language), and Outcome:
// the result of a task or an expression. Not for operations of ours that go wrong: those return Result
// (base/result.h).

#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace {

struct Failure {
  std::string error;      // the name that Retry and Catch match, e.g. States.Timeout
  std::string cause;      // words for people; may be empty
  bool has_error = true;  // a Fail state without Error ends an execution without one
  bool has_cause = true;  // States.Timeout has none, which is not the same as ""
  // Where in the state an expression failed ("Arguments/FunctionName"), until the EvaluationFailed event says
  // it.
  std::string location = {};
  bool operator==(const Failure&) const = default;
};

using Outcome = tl::expected<Payload, Failure>;

inline tl::unexpected<Failure> failed(std::string_view error, std::string cause) {
  return tl::unexpected<Failure>(Failure{std::string(error), std::move(cause)});
}

// Reserved error names. Source: Amazon States Language, "Errors"; the Step Functions developer guide.
namespace error_names {
inline constexpr std::string_view kAll = "States.ALL";
inline constexpr std::string_view kTaskFailed = "States.TaskFailed";
inline constexpr std::string_view kTimeout = "States.Timeout";
inline constexpr std::string_view kHeartbeatTimeout = "States.HeartbeatTimeout";
inline constexpr std::string_view kPermissions = "States.Permissions";
inline constexpr std::string_view kRuntime = "States.Runtime";
inline constexpr std::string_view kDataLimitExceeded = "States.DataLimitExceeded";
inline constexpr std::string_view kResultPathMatchFailure = "States.ResultPathMatchFailure";
inline constexpr std::string_view kParameterPathFailure = "States.ParameterPathFailure";
inline constexpr std::string_view kIntrinsicFailure = "States.IntrinsicFailure";
inline constexpr std::string_view kBranchFailed = "States.BranchFailed";
inline constexpr std::string_view kNoChoiceMatched = "States.NoChoiceMatched";
inline constexpr std::string_view kQueryEvaluationError = "States.QueryEvaluationError";
inline constexpr std::string_view kExceedToleratedFailureThreshold = "States.ExceedToleratedFailureThreshold";
inline constexpr std::string_view kItemReaderFailed = "States.ItemReaderFailed";
inline constexpr std::string_view kResultWriterFailed = "States.ResultWriterFailed";
}  // namespace error_names

}  // namespace millrace
