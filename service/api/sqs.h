#pragma once
// SqsApi: the queues of the home behind SQS's own API: AWS JSON 1.0 (X-Amz-Target AmazonSQS.…), and the older
// one with forms and XML. Loop thread only. Source: Amazon SQS API reference; what its clients were seen to
// send.

#include <functional>

#include "base/random.h"
#include "service/http/server.h"
#include "tasks/integrations/data_services.h"

namespace millrace::api {

class SqsApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // `data` is borrowed. `seed`: of request ids. `tls`: whether clients reach it by https.
  SqsApi(tasks::DataServices& data, Post post, std::uint64_t seed, bool tls)
      : data_(data), post_(std::move(post)), random_(seed), tls_(tls) {}

  static bool serves(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  void call(http::ExchangePtr exchange, std::string operation, Payload input, bool json);

  tasks::DataServices& data_;
  const Post post_;
  Random random_;
  const bool tls_;
};

}  // namespace millrace::api
