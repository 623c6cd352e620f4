#pragma once
// LambdaApi: the part of AWS Lambda's API that local functions have: Invoke, GetFunction,
// GetFunctionConfiguration and ListFunctions, in its REST-JSON form. Functions are folders, so nothing
// creates or changes them here. Loop thread only. Source: Lambda API reference, 2015-03-31.

#include <functional>

#include "base/clock.h"
#include "base/random.h"
#include "service/auth/policy.h"
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
  // What the request's caller needs the right to.
  std::vector<auth::Demand> demands(const http::Request& request) const;

 private:
  // What a request asks for: of which function, if any.
  struct Asked {
    enum class What { Nothing, List, Describe, Configuration, Invoke } what = What::Nothing;
    Result<tasks::FunctionName> function = tasks::FunctionName{};
  };
  Asked read(const http::Request& request) const;
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
