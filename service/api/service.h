#pragma once
// Service: Step Functions in the AWS JSON protocol: X-Amz-Target to a row of the table of operations, errors
// in the protocol's shape. Loop thread only. Source: smithy.io "AWS JSON 1.0 protocol", and what real clients
// were seen to send.

#include "service/api/call.h"
#include "service/http/server.h"

namespace millrace::api {

class Service {
 public:
  static constexpr std::string_view kTarget = "AWSStepFunctions.";

  explicit Service(Services services) : services_(std::move(services)) {}
  void handle(http::ExchangePtr exchange, const auth::Caller& caller);
  // What the request's caller needs the right to.
  std::vector<auth::Demand> demands(const http::Request& request) const;

 private:
  void aws_json(http::ExchangePtr exchange, std::string_view operation, const auth::Caller& caller);

  Services services_;
};

}  // namespace millrace::api
