#pragma once
// Access: how the command line asks for something: operations of AWS services by name, answered by a server
// over HTTP or by an engine over a home in this process. Commands know no other way, so that they do and
// print the same whichever it is. One thread, blocking.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/payload.h"
#include "base/result.h"

namespace millrace::client {

// A service of the AWS JSON protocol. Tables and constants only.
struct AwsService {
  std::string_view target;   // before the operation in X-Amz-Target
  std::string_view signing;  // name in signatures
  std::string_view version;  // of the protocol
};
inline constexpr AwsService kStates{"AWSStepFunctions.", "states", "1.0"};
inline constexpr AwsService kLogs{"Logs_20140328.", "logs", "1.1"};
inline constexpr AwsService kMonitoring{"GraniteServiceVersion20100801.", "monitoring", "1.0"};
inline constexpr AwsService kSageMaker{"SageMaker.", "sagemaker", "1.1"};
inline constexpr AwsService kScheduler{"AWSScheduler.", "scheduler", "1.0"};  // of Millrace's servers alone
inline constexpr AwsService kApprovals{"MillraceApprovals.", "millrace", "1.0"};  // the same
// The two that follow: of Millrace's servers alone.
inline constexpr AwsService kFeatureStore{"AmazonSageMakerFeatureStoreRuntime.", "sagemaker", "1.0"};
inline constexpr AwsService kLabels{"MillraceLabels.", "millrace", "1.0"};

class Access {
 public:
  virtual ~Access() = default;
  // The answer of one operation. Errors: those of error_of_aws: NotFound, AlreadyExists, Conflict,
  // LimitExceeded, InvalidArgument by that name; Unavailable when nobody answers, OutcomeUnknown when the
  // answer was lost and repeating would do it twice.
  virtual Result<Payload> call(const AwsService& service, std::string_view operation,
                               const Payload& input) = 0;
  Result<Payload> call(std::string_view operation, const Payload& input) {
    return call(kStates, operation, input);
  }
  // Lets time pass; what runs in this process goes on meanwhile.
  virtual void pause(Millis time) = 0;
  virtual std::string where() const = 0;  // "http://127.0.0.1:8083", "the home .millrace"
  // Whether executions go on when this process has ended.
  virtual bool outlives_us() const = 0;
  virtual const Clock& clock() const = 0;
};

// An AWS error as an Error: "Execution Does Not Exist: 'arn' (ExecutionDoesNotExist)", with a remedy where
// one is known.
Error error_of_aws(std::string_view code, std::string_view message, int status);
// Whether an error that error_of_aws made has this name.
bool is_aws_error(const Error& error, std::string_view code);

}  // namespace millrace::client
