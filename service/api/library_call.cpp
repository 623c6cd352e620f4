#include "service/api/library_call.h"

#include <charconv>

namespace millrace::api {
namespace {

constexpr std::string_view kService = " (Service: ", kStatusWords = "Status Code: ";

// "Name does not exist. (Service: EventBridge, Status Code: 400, …)": the number, the message.
ApiError error_of(const Failure& failure) {
  ApiError error;
  const std::size_t dot = failure.error.find('.');
  const std::string prefix = failure.error.substr(0, dot);
  error.code = dot == std::string::npos ? failure.error : failure.error.substr(dot + 1);
  if (error.code == prefix + "Exception")
    error.code = "ValidationException";  // what the SDK has no class for
  const std::size_t details = failure.cause.rfind(kService);
  error.message = failure.cause.substr(0, details);
  const std::size_t status =
      details == std::string::npos ? details : failure.cause.find(kStatusWords, details);
  if (status != std::string::npos) {
    const char* digits = failure.cause.data() + status + kStatusWords.size();
    std::from_chars(digits, failure.cause.data() + failure.cause.size(), error.status);
  }
  return error;
}

}  // namespace

std::string library_operation(std::string_view name) {
  std::string operation(name);
  if (!operation.empty() && operation[0] >= 'A' && operation[0] <= 'Z')
    operation[0] = static_cast<char>(operation[0] - 'A' + 'a');
  return operation;
}

void call_library(tasks::TaskLibraryRunner& library, const std::string& service, const std::string& operation,
                  Payload input, std::string caller, std::function<void(Answer)> reply) {
  library.call(service, operation, std::move(input), std::move(caller),
               [reply = std::move(reply)](Outcome outcome) {
                 if (outcome) return reply(*std::move(outcome));
                 reply(tl::unexpected<ApiError>(error_of(outcome.error())));
               });
}

}  // namespace millrace::api
