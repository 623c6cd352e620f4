#pragma once
// Guards: what a deployment rolls back for without a CloudWatch alarm: the new fleet's errors, latency and
// live accuracy against a bound or against the old fleet. A guard is written where an alarm's name stands, so
// that every AWS client can send it, and AWS itself, which has no such alarm, refuses it:
//
//   {"AlarmName": "millrace:error-rate > 0.05"}         {"AlarmName": "millrace:error-rate > old + 0.01"}
//   {"AlarmName": "millrace:latency-p99 > 250ms"}       {"AlarmName": "millrace:latency-p99 > old * 1.5"}
//   {"AlarmName": "millrace:accuracy < 0.9"}            {"AlarmName": "millrace:accuracy < old - 0.02"}
//
// It fires when what was seen can't be chance: by intervals that hold at every moment (sequential.h) with
// probability 99 %. So it may be asked as often as one likes, and a handful of requests decides nothing
// unless they say it clearly. Pure; any thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::tasks {

// Times of requests by their logarithm: eight buckets an octave from a microsecond on, so that a quantile is
// right to a tenth.
inline constexpr std::size_t kLatencyBuckets = 8 * 32;
using LatencyCounts = std::array<std::uint64_t, kLatencyBuckets>;
std::size_t latency_bucket(std::chrono::nanoseconds time);
double latency_seconds(std::size_t bucket);  // the upper end of a bucket
// In seconds; 0 when nothing was seen. 0 < q < 1.
double latency_quantile(const LatencyCounts& counts, double q);

// What is known of a fleet.
struct FleetSeen {
  std::uint64_t requests = 0, failed = 0;
  LatencyCounts latency{};              // of those that did not fail
  std::uint64_t judged = 0, right = 0;  // predictions whose label came
};

// The same while it is counted. Any thread, without a lock.
class FleetCounts {
 public:
  void count(bool failed, std::chrono::nanoseconds took);
  FleetSeen seen() const;  // without labels

 private:
  std::atomic<std::uint64_t> requests_{0}, failed_{0};
  std::array<std::atomic<std::uint64_t>, kLatencyBuckets> latency_{};
};

struct Guard {
  enum class Metric { ErrorRate, LatencyP99, Accuracy } metric = Metric::ErrorRate;
  bool against_old = false;
  double bound = 0;  // a share, seconds; of the old fleet's: what is added, times what, what is taken off
  std::string text;  // as it was written

  static constexpr std::string_view kPrefix = "millrace:";
  // InvalidArgument with the forms there are.
  static Result<Guard> parse(std::string_view alarm_name);
  // Why the deployment is to be rolled back; nothing as long as nothing is sure.
  std::optional<std::string> fires(const FleetSeen& old_fleet, const FleetSeen& new_fleet) const;
};

}  // namespace millrace::tasks
