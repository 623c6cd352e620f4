#pragma once
// SchedulerApi: EventBridge Scheduler's API: REST-JSON over /schedules, /schedule-groups and /tags, and the
// same operations as AWS JSON (X-Amz-Target: AWSScheduler.…) for `millrace schedule`. Loop thread only.
// Source: EventBridge Scheduler API reference, 2021-06-30.

#include <string_view>
#include <vector>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/bus/bus.h"
#include "service/http/server.h"

namespace millrace::api {

class SchedulerApi {
 public:
  static constexpr std::string_view kTarget = "AWSScheduler.";

  // `bus` is borrowed. `seed`: of request ids.
  SchedulerApi(bus::Bus& bus, std::uint64_t seed) : bus_(bus), random_(seed) {}
  static bool serves(const http::Request& request);
  void handle(http::ExchangePtr exchange);
  // What the request's caller needs the right to.
  static std::vector<auth::Demand> demands(const http::Request& request);

 private:
  bus::Bus& bus_;
  Random random_;
};

}  // namespace millrace::api
