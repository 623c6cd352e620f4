#pragma once
// A server as an Access: signed HTTP requests, tried again where that is safe. One thread.

#include <memory>

#include "base/random.h"
#include "service/client/access.h"
#include "service/client/http.h"

namespace millrace::client {

struct RemoteSettings {
  std::string endpoint;  // "http://127.0.0.1:8083", as the user gave it
  std::optional<Credentials> credentials = {};
  std::string region = "us-east-1";
  HttpLimits limits = {};
  int attempts_max = 4;     // of one call
  Millis first_pause{100};  // before the second attempt; doubled for each further one, with jitter
  std::uint64_t seed = 0;   // of the jitter
};

// InvalidArgument for what is no http:// or https:// URL.
Result<std::unique_ptr<Access>> open_remote(RemoteSettings settings, const Clock& clock);

}  // namespace millrace::client
