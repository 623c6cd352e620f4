#pragma once
// UrlCall: an invocation of a function that another server runs. Who sends it is handed in: the requests of
// functions and of HTTP tasks go the same way, under the same address rules. Any thread.

#include <functional>
#include <map>
#include <string>

#include "base/failure.h"
#include "base/time.h"

namespace millrace::tasks {

struct UrlCall {
  std::string url;
  std::map<std::string, std::string> headers;
  std::string connection;  // an ARN or a name; may be empty
  Payload event;
  std::string request_id, arn, client_context;
  Instant deadline{};
  Millis time_max{0};
  std::size_t response_bytes_max = 0;
};

// Replies exactly once, at once or from another thread, unless the returned function was called before. A
// failure's cause is an error object as Lambda has it, or a sentence.
using UrlCaller = std::function<std::function<void()>(UrlCall call, std::function<void(Outcome)> reply)>;

}  // namespace millrace::tasks
