#pragma once
// SageMakerRuntime: InvokeEndpoint: POST /endpoints/NAME/invocations, rows in, scores out. What is quick is
// scored where it is read, on the loop thread; what may take long, and the first request of an endpoint, goes
// to the threads of the endpoints' host. InvokeEndpointAsync: POST /endpoints/NAME/async-invocations. POST
// /endpoints/NAME/outcomes, which AWS has not, takes what became of requests (tasks/deployment/outcomes.h).
// Loop thread only. Source: SageMaker Runtime API reference, 2017-05-13.

#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/http/server.h"
#include "tasks/deployment/async_invocations.h"
#include "tasks/deployment/endpoint_host.h"

namespace millrace::api {

class SageMakerRuntime {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // `host` and `async` are borrowed. `seed`: of request ids.
  SageMakerRuntime(tasks::EndpointHost& host, tasks::AsyncInvocations& async, std::string account, Post post,
                   std::uint64_t seed)
      : host_(host), async_(async), account_(std::move(account)), post_(std::move(post)), random_(seed) {}

  static bool serves(const http::Request& request);
  static std::vector<auth::Demand> demands(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  void take_outcomes(http::ExchangePtr exchange, const std::string& id);

  void accept_async(http::ExchangePtr exchange, const std::string& id);

  tasks::EndpointHost& host_;
  tasks::AsyncInvocations& async_;
  const std::string account_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
