#include "tasks/metrics/invocation_tally.h"

#include <algorithm>
#include <bit>

namespace millrace::tasks {
namespace {

constexpr auto kOrder = std::memory_order_relaxed;
constexpr unsigned kPartBits = 6;

// Times below 64 ns have a bucket each; above, 64 to a power of two.
std::size_t time_bucket(std::uint64_t ns) {
  if (ns < (1u << kPartBits)) return ns;
  const unsigned octave = static_cast<unsigned>(std::bit_width(ns)) - 1 - kPartBits;
  return ((octave + 1) << kPartBits) + ((ns >> octave) & ((1u << kPartBits) - 1));
}

double bucket_time(std::size_t bucket) {
  if (bucket < (1u << kPartBits)) return static_cast<double>(bucket);
  const std::size_t octave = (bucket >> kPartBits) - 1;
  const std::size_t part = bucket & ((1u << kPartBits) - 1);
  const double width = static_cast<double>(std::uint64_t{1} << octave);
  return (static_cast<double>(part + (1u << kPartBits)) + 0.5) * width;
}

}  // namespace

void TimeTally::add(std::chrono::nanoseconds time) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count()));
  buckets_[std::min(time_bucket(ns), buckets_.size() - 1)].fetch_add(1, kOrder);
  sum_.fetch_add(ns, kOrder);
  for (std::uint64_t most = max_.load(kOrder); ns > most && !max_.compare_exchange_weak(most, ns, kOrder);) {
  }
  for (std::uint64_t least = min_.load(kOrder);
       ns < least && !min_.compare_exchange_weak(least, ns, kOrder);) {
  }
}

Aggregate TimeTally::take() {
  Aggregate out;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i].load(kOrder) == 0) continue;
    out.add(bucket_time(i) / 1e3, static_cast<double>(buckets_[i].exchange(0, kOrder)));
  }
  const double sum = static_cast<double>(sum_.exchange(0, kOrder)) / 1e3;
  const std::uint64_t least = min_.exchange(~std::uint64_t{0}, kOrder), most = max_.exchange(0, kOrder);
  if (out.count == 0) return out;
  out.sum = sum;
  // A time that is counted at this moment may be in one and not yet in the other.
  if (least <= most) {
    out.min = static_cast<double>(least) / 1e3;
    out.max = static_cast<double>(most) / 1e3;
  }
  return out;
}

std::vector<MetricBatch> InvocationTally::take(const std::string& endpoint, const std::string& variant,
                                               Instant now) {
  std::vector<MetricBatch> out;
  Aggregate model = model_.take();
  if (model.count == 0) return out;
  const double requests = model.count;
  const auto put = [&](const char* name, const char* unit, Aggregate aggregate) {
    out.push_back({{"AWS/SageMaker", name, {{"EndpointName", endpoint}, {"VariantName", variant}}},
                   unit,
                   now,
                   std::move(aggregate)});
  };
  // As there: of each request a 1 or a 0, so that the average is the rate of errors.
  const auto rate = [&](std::atomic<std::uint64_t>& errors) {
    const double failed = std::min(requests, static_cast<double>(errors.exchange(0, kOrder)));
    Aggregate aggregate;
    if (failed > 0) aggregate.add(1, failed);
    if (failed < requests) aggregate.add(0, requests - failed);
    return aggregate;
  };
  Aggregate invocations;
  invocations.add(1, requests);
  put("Invocations", "None", std::move(invocations));
  put("Invocation4XXErrors", "None", rate(client_errors_));
  put("Invocation5XXErrors", "None", rate(server_errors_));
  put("ModelLatency", "Microseconds", std::move(model));
  if (Aggregate overhead = overhead_.take(); overhead.count > 0)
    put("OverheadLatency", "Microseconds", std::move(overhead));
  return out;
}

}  // namespace millrace::tasks
