#pragma once
// DynamoApi: the tables of the home behind DynamoDB's own API: AWS JSON 1.0, X-Amz-Target
// DynamoDB_20120810.…. Loop thread only. Source: DynamoDB API reference, version 2012-08-10; what its clients
// were seen to send.

#include <functional>

#include "base/random.h"
#include "service/http/server.h"
#include "tasks/integrations/data_services.h"

namespace millrace::api {

class DynamoApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // `data` is borrowed. `seed`: of request ids.
  DynamoApi(tasks::DataServices& data, Post post, std::uint64_t seed)
      : data_(data), post_(std::move(post)), random_(seed) {}

  static bool serves(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  tasks::DataServices& data_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
