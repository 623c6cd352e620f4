#pragma once
// EventsApi: the part of EventBridge's API that is here: PutEvents, connections, the default bus; AWS
// JSON 1.1. The operations are the task library's. Loop thread only. Source: EventBridge API reference.

#include <string_view>

#include "base/random.h"
#include "service/http/server.h"
#include "tasks/runner.h"

namespace millrace::api {

class EventsApi {
 public:
  static constexpr std::string_view kTarget = "AWSEvents.";

  // `library` is borrowed. `seed`: of request ids.
  EventsApi(tasks::TaskLibraryRunner& library, std::uint64_t seed) : library_(library), random_(seed) {}
  void handle(http::ExchangePtr exchange);

 private:
  tasks::TaskLibraryRunner& library_;
  Random random_;
};

}  // namespace millrace::api
