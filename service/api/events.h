#pragma once
// EventsApi: EventBridge's API; AWS JSON 1.1. PutEvents and connections are the task library's, all else is
// the bus's. Loop thread only. Source: EventBridge API reference.

#include <string_view>

#include "base/random.h"
#include "service/bus/bus.h"
#include "service/http/server.h"
#include "tasks/runner.h"

namespace millrace::api {

class EventsApi {
 public:
  static constexpr std::string_view kTarget = "AWSEvents.";

  // Both are borrowed. `seed`: of request ids.
  EventsApi(tasks::TaskLibraryRunner& library, bus::Bus& bus, std::uint64_t seed)
      : library_(library), bus_(bus), random_(seed) {}
  void handle(http::ExchangePtr exchange);

 private:
  tasks::TaskLibraryRunner& library_;
  bus::Bus& bus_;
  Random random_;
};

}  // namespace millrace::api
