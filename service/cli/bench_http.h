#pragma once
// `millrace bench http`, `restart` and `timers`: the server as its clients meet it, what a start takes, and
// how late timers are.

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace millrace::cli {

struct HttpBenchOptions {
  int connections = 64;
  double seconds = 3;  // an operation
  std::string directory = ".";
};
// Requests per second of one operation after the other, their latencies, and those of a client that is alone.
Result<Json> measure_http(const HttpBenchOptions& options);

struct RestartBenchOptions {
  int executions = 100'000;
  bool tasks = false;  // they wait for an activity; else for a day to pass
  std::string directory = ".";
};
// From the start of a server over a home with so many unfinished executions until its first answer.
Result<Json> measure_restart(const RestartBenchOptions& options);

struct TimersBenchOptions {
  int executions = 10'000;
  double seconds = 5;  // over which they fall due
  std::string directory = ".";
};
// How long after its time each of so many waits is over, durably.
Result<Json> measure_timers(const TimersBenchOptions& options);

}  // namespace millrace::cli
