#pragma once
// Connection: one blocking HTTP client connection, kept open between requests. The only file that knows
// libcurl is its source. One thread.

#include <memory>
#include <string>

#include "base/time.h"
#include "service/client/sigv4.h"

namespace millrace::client {

struct HttpResponse {
  int status = 0;
  std::string body;
};

// Why there is no response. `sent` says whether the other side may have seen the request.
struct HttpFailure {
  std::string reason;  // "Couldn't connect to server"
  bool sent = false;
};

struct HttpLimits {
  Millis connect{2'000};
  Millis request{70'000};        // longer than GetActivityTask's long poll
  Millis long_request{330'000};  // StartSyncExecution answers when an Express execution has ended
  std::size_t response_bytes_max = 64u << 20;
};

class Connection {
 public:
  explicit Connection(HttpLimits limits = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The body goes as it is; `most` is how long the answer may take.
  tl::expected<HttpResponse, HttpFailure> post(const std::string& url, const Headers& headers,
                                               std::string_view body, Millis most);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
  HttpLimits limits_;
};

}  // namespace millrace::client
