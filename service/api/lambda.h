#pragma once
// LambdaApi: the part of AWS Lambda's API that local functions have: Invoke, GetFunction,
// GetFunctionConfiguration and ListFunctions, in its REST-JSON form. Functions are folders, so nothing
// creates or changes them here. Loop thread only. Source: Lambda API reference, 2015-03-31.

#include <functional>

#include "base/clock.h"
#include "base/random.h"
#include "service/http/server.h"
#include "tasks/functions/lambda.h"

namespace millrace::api {

class LambdaApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // `functions` is borrowed. `seed`: of request ids.
  LambdaApi(tasks::FunctionHost& functions, tasks::LambdaPlace place, Post post, std::uint64_t seed)
      : functions_(functions), place_(std::move(place)), post_(std::move(post)), random_(seed) {}

  static bool serves(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  void invoke(http::ExchangePtr exchange, const std::string& id, const tasks::FunctionName& name);
  void describe(http::ExchangePtr exchange, const std::string& id, const tasks::FunctionName& name,
                bool configuration_only);
  void list(http::ExchangePtr exchange, const std::string& id);

  tasks::FunctionHost& functions_;
  const tasks::LambdaPlace place_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
