#pragma once
// StreamConsumersApi: what reads streams and queues, behind AWS's own APIs: event source mappings of Lambda
// and EventBridge Pipes (REST-JSON), Firehose (AWS JSON 1.1). Loop thread only. Source: their API references.

#include <functional>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/bus/bus.h"
#include "service/http/server.h"
#include "tasks/integrations/data_services.h"

namespace millrace::api {

class StreamConsumersApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread
  static constexpr std::string_view kFirehose = "Firehose_20150804.";

  // `bus` and `data` are borrowed. `seed`: of request ids.
  StreamConsumersApi(bus::Bus& bus, tasks::DataServices& data, Post post, std::uint64_t seed)
      : bus_(bus), data_(data), post_(std::move(post)), random_(seed) {}

  static bool serves_mappings(const http::Request& request);
  static bool serves_pipes(const http::Request& request);
  static std::vector<auth::Demand> mapping_demands(const http::Request& request);
  static std::vector<auth::Demand> pipe_demands(const http::Request& request);
  void handle_mappings(const http::ExchangePtr& exchange);
  void handle_pipes(const http::ExchangePtr& exchange);
  void handle_firehose(const http::ExchangePtr& exchange);

 private:
  using Reply = std::function<void(Answer)>;
  void put_to_delivery(std::string_view operation, const Payload& input, const Reply& reply);
  void create_delivery(const Payload& input, const Reply& reply);
  void delete_delivery(const Payload& input, const Reply& reply);

  bus::Bus& bus_;
  tasks::DataServices& data_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
