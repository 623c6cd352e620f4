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

// The engine's own values in the home's metrics.
struct EngineValueSettings {
  bool engine = true;
  Millis interval = std::chrono::seconds(1);
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

struct ObjectSettings {
  bool watch = true;                                // files that others put into buckets are noticed
  Millis settle = std::chrono::seconds(2);          // unchanged for so long, a file is whole
  Millis scan_interval = std::chrono::minutes(10);  // between two scans for what was not noticed
  int threads = 4;                                  // that read and write objects for requests
  std::size_t waiting_max = 10'000;                 // pieces of work for them; more: 503 SlowDown
  std::int64_t upload_days = 7;  // a multipart upload that nobody completes goes after that
};

}  // namespace millrace::service
