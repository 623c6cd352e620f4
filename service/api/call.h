#pragma once
// What every operation of the API gets and gives: one call, and its one answer. Loop thread only.

#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/random.h"
#include "orchestrator/engine.h"
#include "service/auth/caller.h"

namespace millrace::api {

// An error in the words of the AWS API: `code` selects the class in SDKs. Messages go to clients.
struct ApiError {
  std::string code;
  std::string message;
  int status = 400;
};
using Answer = tl::expected<Payload, ApiError>;

inline tl::unexpected<ApiError> refuse(std::string code, std::string message, int status = 400) {
  return tl::unexpected<ApiError>(ApiError{std::move(code), std::move(message), status});
}

// What the operations work on. Borrowed, outlives every call.
struct Services {
  orchestrator::Engine& engine;
  orchestrator::Loop& loop;
  orchestrator::TaskRunner& runner;  // of tasks that are tested by themselves
  Random random;                     // of request ids and tests
};

struct Call {
  Services& services;
  JsonView input;  // an object that has passed its shape's checks; null members count as absent
  std::function<void(Answer)> reply;                        // once
  std::function<void(std::function<void()>)> on_gone = {};  // to be told when nobody waits any more
  Payload document;                                         // what `input` is a view of
  auth::Caller caller = {};                                 // has the right to this call; not more
};
using Operation = void (*)(Call call);

// A member of the input: absent when it is missing or null.
JsonView member(JsonView input, std::string_view name);
// Empty, false, `otherwise` when absent.
std::string text_of(JsonView input, std::string_view name);
bool flag_of(JsonView input, std::string_view name);
std::int64_t whole_of(JsonView input, std::string_view name, std::int64_t otherwise);

// AWS JSON's time: seconds since 1970 with milliseconds, as a number.
void write_time(JsonWriter& out, std::string_view name, Instant time);
Payload empty_answer();  // {}

}  // namespace millrace::api
