#pragma once
// What requests of an endpoint's variant took and how they ended, until it is asked for. Counting is a few
// relaxed atomics where the request is; taking adds it up. Any thread. Source: Amazon SageMaker developer
// guide, "Metrics for monitoring Amazon SageMaker with CloudWatch".

#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#include "tasks/metrics/metric_store.h"

namespace millrace::tasks {

// Times in buckets that are a 64th of their value wide: as exact as what they are put into.
class TimeTally {
 public:
  void add(std::chrono::nanoseconds time);
  // What came since the last time, in microseconds; emptied.
  Aggregate take();

 private:
  static constexpr std::size_t kOctaves = 48, kParts = 64;
  std::array<std::atomic<std::uint32_t>, kOctaves * kParts> buckets_{};
  std::atomic<std::uint64_t> sum_{0}, max_{0}, min_{~std::uint64_t{0}};
};

class InvocationTally {
 public:
  void add(std::chrono::nanoseconds model, std::chrono::nanoseconds whole) {
    model_.add(model);
    overhead_.add(whole > model ? whole - model : std::chrono::nanoseconds(0));
  }
  void add_error(int status) {
    (status < 500 ? client_errors_ : server_errors_).fetch_add(1, std::memory_order_relaxed);
  }
  // Invocations, Invocation4XXErrors, Invocation5XXErrors, ModelLatency, OverheadLatency in AWS/SageMaker
  // since the last time; nothing when nobody asked.
  std::vector<MetricBatch> take(const std::string& endpoint, const std::string& variant, Instant now);

 private:
  TimeTally model_, overhead_;
  std::atomic<std::uint64_t> client_errors_{0}, server_errors_{0};
};

}  // namespace millrace::tasks
