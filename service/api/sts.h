#pragma once
// STS: GetCallerIdentity, which command lines, Terraform and CDK ask first. Query protocol, XML answers. Loop
// thread only. Source: STS API reference, 2011-06-15.

#include "base/random.h"
#include "service/auth/caller.h"
#include "service/http/server.h"

namespace millrace::api {

class StsApi {
 public:
  explicit StsApi(std::uint64_t seed) : random_(seed) {}  // of request ids

  static bool serves(const http::Request& request);
  // None: everybody may ask who he is.
  static std::vector<auth::Demand> demands(const http::Request&) { return {}; }
  void handle(http::ExchangePtr exchange, const auth::Caller& caller);

 private:
  Random random_;
};

}  // namespace millrace::api
