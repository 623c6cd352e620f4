#pragma once
// The settings of the operational parts, apart from those parts: what configuration.h is made of.

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace millrace::service {

struct MetricSettings {
  bool enabled = true;             // GET /metrics
  bool open = false;               // without a signature where the home has keys
  std::size_t machines_max = 200;  // state machines with series of their own; others share one
};

struct EventSettings {
  std::size_t clients_max = 256;                // streams at a time; beyond it: 503
  Millis heartbeat = std::chrono::seconds(15);  // a comment when nothing else was sent
  std::size_t unsent_bytes_max = 256 << 10;     // of one client; then sending rests until it reads
  std::size_t recent_max = 10'000;              // status changes kept for clients that come back or are slow
};

struct LogStoreSettings {
  bool enabled = true;
  std::size_t queue_bytes_max =
      16 << 20;  // that wait to be written; what comes beyond it is dropped, and counted
  std::size_t event_bytes_max = 262'144;  // of one log event
  std::int64_t function_days = 0;         // retention of groups that functions and jobs make; 0: for ever
};

}  // namespace millrace::service
