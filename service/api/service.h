#pragma once
// Service: what an HTTP request means. /healthz, and the AWS JSON protocol: X-Amz-Target to a row of the
// table of operations, errors in the protocol's shape. Loop thread only. Source: smithy.io "AWS JSON 1.0
// protocol", and what real clients were seen to send.

#include "base/random.h"
#include "service/api/call.h"
#include "service/http/server.h"

namespace millrace::api {

class Service {
 public:
  // `services` is borrowed. `seed`: of request ids.
  Service(Services services, std::uint64_t seed) : services_(services), random_(seed) {}
  void handle(http::ExchangePtr exchange);

 private:
  void aws_json(http::ExchangePtr exchange, std::string_view operation);

  Services services_;
  Random random_;
};

}  // namespace millrace::api
