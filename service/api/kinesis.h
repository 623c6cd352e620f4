#pragma once
// KinesisApi: the streams of the home behind Kinesis's own API: AWS JSON 1.1, and the same in CBOR for
// clients that send it. Loop thread only. Source: Kinesis Data Streams API reference, 2013-12-02.

#include <functional>

#include "base/random.h"
#include "service/http/server.h"
#include "tasks/integrations/data_services.h"

namespace millrace::api {

class KinesisApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread
  static constexpr std::string_view kTarget = "Kinesis_20131202.";

  // `data` is borrowed. `seed`: of request ids.
  KinesisApi(tasks::DataServices& data, Post post, std::uint64_t seed)
      : data_(data), post_(std::move(post)), random_(seed) {}
  void handle(http::ExchangePtr exchange);

 private:
  tasks::DataServices& data_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
