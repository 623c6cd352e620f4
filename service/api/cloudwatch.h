#pragma once
// CloudWatchApi: metrics and alarms behind CloudWatch's own API, in its three forms: AWS JSON 1.0, Query with
// XML, smithy's rpc-v2-cbor. Loop thread only; the work is done on the metric store's. Source: Amazon
// CloudWatch API reference, 2010-08-01; smithy.io; what its clients were seen to send.

#include <functional>
#include <vector>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/http/server.h"
#include "tasks/integrations/data_services.h"

namespace millrace::api {

class CloudWatchApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  static constexpr std::string_view kTarget = "GraniteServiceVersion20100801.";

  // `data` is borrowed. `seed`: of request ids.
  CloudWatchApi(tasks::DataServices& data, Post post, std::uint64_t seed)
      : data_(data), post_(std::move(post)), random_(seed) {}

  static bool serves_query(const http::Request& request);  // Version=2010-08-01
  static bool serves_cbor(const http::Request& request);   // /service/…/operation/…
  static std::vector<auth::Demand> demands(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  tasks::DataServices& data_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
