#pragma once
// Functions at a URL, on the wire: POST with the event as JSON and the headers of Lambda's Runtime API; what
// is answered is the result, or an error as Lambda would have it. Pure, but for UrlFunctions.

#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "tasks/functions/url_call.h"
#include "tasks/integrations/http/invoke.h"

namespace millrace::tasks {

HttpTask function_request(const UrlCall& call);

// 2xx: its JSON, nothing is null. Else, and with X-Amz-Function-Error as Lambda itself marks them, a failure
// whose cause is the error object: the one that was answered, or Http.StatusCode.503, Http.Socket,
// Http.Forbidden, ….
Outcome function_outcome(const TransferAnswer& answer);

// Calls functions at a URL by themselves, with a home's settings and connections, for who has no
// Integrations: the command line. Any thread; end the functions before this object.
class UrlFunctions {
 public:
  // `home`: its integrations.json and connections.json hold. InvalidArgument, DataLoss for wrong files.
  static Result<std::unique_ptr<UrlFunctions>> open(const std::filesystem::path& home, const Clock& clock,
                                                    std::uint64_t seed);
  UrlCaller caller();

 private:
  UrlFunctions(Transfers::Settings http, std::unique_ptr<Connections> connections, const Clock& clock)
      : connections_(std::move(connections)),
        tokens_(transfers_, clock),
        http_(transfers_, *connections_, tokens_, {}),
        transfers_(std::move(http)) {}

  std::unique_ptr<Connections> connections_;
  OAuthTokens tokens_;
  HttpInvoker http_;
  Transfers transfers_;  // last: ends first
};

}  // namespace millrace::tasks
