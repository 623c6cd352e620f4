#pragma once
// `millrace bench map`: items a second of inline and distributed Maps.

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace millrace::cli {

struct MapBenchOptions {
  int items = 1000;
  std::string distributed;  // empty: inline; "standard", "express"
  int concurrency = 0;      // MaxConcurrency of a distributed Map
  double seconds = 3;       // how long inline Maps are started again
  std::string directory = ".";
};
Result<Json> measure_map(const MapBenchOptions& options);

}  // namespace millrace::cli
