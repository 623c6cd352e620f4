#pragma once
// What an operation of a data service (tables, queues) answers: a document, or an error in the words of the
// AWS API. Values; any thread.

#include <string>

#include "base/payload.h"

namespace millrace::tasks {

struct ServiceError {
  std::string code;  // "ConditionalCheckFailedException"
  std::string message;
  int status = 400;
  Payload detail =
      Payload::empty_object();  // what the error says beside its message: Item, CancellationReasons
  bool of_store = false;        // the database failed: nothing of the group is kept
  ErrorCode store_code = ErrorCode::Internal;

  ServiceError(std::string error_code, std::string words, int http_status = 400)
      : code(std::move(error_code)), message(std::move(words)), status(http_status) {}
  // A failure of the database below, so that MR_TRY carries it upward.
  ServiceError(const Error& error)
      : code("InternalServerError"),
        message(error.message),
        status(500),
        of_store(true),
        store_code(error.code) {}
};
using ServiceAnswer = tl::expected<Payload, ServiceError>;
template <class T>
using Checked = tl::expected<T, ServiceError>;

inline tl::unexpected<ServiceError> service_error(std::string code, std::string message, int status = 400) {
  return tl::unexpected<ServiceError>(ServiceError(std::move(code), std::move(message), status));
}

}  // namespace millrace::tasks
