#include "tasks/task_kind.h"

namespace millrace::tasks {
namespace {

std::string_view code_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotFound:
      return "ValidationException";
    case ErrorCode::AlreadyExists:
      return "ResourceInUseException";
    case ErrorCode::Conflict:
      return "ConflictException";
    case ErrorCode::LimitExceeded:
      return "ResourceLimitExceededException";
    case ErrorCode::Unavailable:
    case ErrorCode::OutOfSpace:
    case ErrorCode::DataLoss:
    case ErrorCode::Cancelled:
    case ErrorCode::OutcomeUnknown:
    case ErrorCode::Internal:
      return "AmazonSageMakerException";
  }
  return "AmazonSageMakerException";
}

// The names of services in errors.
constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
    {"cloudwatch", "CloudWatch"},
    {"events", "EventBridge"},
    {"dynamodb", "DynamoDb"},
    {"lambda", "Lambda"},
    {"s3", "S3"},
    {"sqs", "Sqs"},

};

}  // namespace

tl::unexpected<Failure> service_failure(std::string_view service, std::string_view code, std::string cause) {
  std::string_view prefix = "SageMaker";
  for (const auto& [name, shown] : kPrefixes)
    if (name == service) prefix = shown;
  return failed(std::string(prefix) + "." + std::string(code), std::move(cause));
}

tl::unexpected<Failure> sagemaker_failure(const Error& error) {
  return sagemaker_failure(code_for(error.code),
                           error.hint.empty() ? error.message : error.message + " (" + error.hint + ")");
}

}  // namespace millrace::tasks
