#pragma once
// Gate: who may come in. Where the home has keys, whoever signs with one of them; where it has none (then
// only loopback is served), everybody but web pages that reach us through a browser. Loop thread only.

#include <string>
#include <vector>

#include "base/clock.h"
#include "service/auth/caller.h"
#include "service/auth/keys.h"
#include "service/http/message.h"

namespace millrace::auth {

struct GateSettings {
  std::string account = "123456789012";
  Millis skew = std::chrono::minutes(5);      // of clocks, each way
  Millis skew_s3 = std::chrono::minutes(15);  // where the service is S3, unless `skew` is more
  std::vector<std::string> host_names;        // under which we are called, beside addresses and local names
};

class Gate {
 public:
  // `clock` and `keys` are borrowed.
  Gate(LiveKeys& keys, const Clock& clock, GateSettings settings)
      : keys_(keys), clock_(clock), settings_(std::move(settings)) {}

  // The caller, or why not. `service`: that the request is for.
  tl::expected<Caller, Refusal> admit(const http::Request& request, std::string_view service);

 private:
  LiveKeys& keys_;
  const Clock& clock_;
  const GateSettings settings_;
};

// Why a request that nobody signed may be a web page's doing: the browser names another origin, or a host in
// the public name space (a name that was made to point here). Empty: it is not.
std::string suspicion(const http::Request& request, const std::vector<std::string>& host_names);

}  // namespace millrace::auth
