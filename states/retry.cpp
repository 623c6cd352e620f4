#include "states/retry.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace millrace::states {
namespace {

constexpr double kDelaySecondsMax = 99'999'999;  // the longest time the language knows

}  // namespace

bool covers(const std::vector<std::string>& error_equals, std::string_view error) {
  using namespace error_names;
  return std::any_of(error_equals.begin(), error_equals.end(), [&](const std::string& name) {
    if (name == error) return true;
    const bool terminal = error == kRuntime;
    if (name == kAll) return !terminal;
    if (name == kTaskFailed) return !terminal && error != kTimeout && error != kHeartbeatTimeout;
    return name == kTimeout && error == kHeartbeatTimeout;
  });
}

Millis retry_delay(const definitions::Retrier& retrier, std::uint32_t earlier_attempts,
                   const Environment& env) {
  double seconds =
      retrier.interval_seconds * std::pow(retrier.backoff_rate, static_cast<double>(earlier_attempts));
  seconds = std::min(seconds, retrier.max_delay_seconds.value_or(kDelaySecondsMax));
  seconds = std::min(seconds, kDelaySecondsMax);
  if (retrier.jitter == definitions::JitterStrategy::Full)
    seconds *= Random(env.seed).derive("jitter").uniform();
  return Millis(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

RetryDecision answer(const definitions::ErrorPolicy& policy, std::span<const std::uint32_t> counts,
                     const Failure& failure, const Environment& env) {
  for (std::size_t i = 0; i < policy.retriers.size(); ++i) {
    const definitions::Retrier& retrier = policy.retriers[i];
    if (!covers(retrier.error_equals, failure.error)) continue;
    const std::uint32_t used = i < counts.size() ? counts[i] : 0;
    if (used >= retrier.max_attempts) break;  // the first that names it decides; it is exhausted
    return RetryAfter{static_cast<std::uint32_t>(i), retry_delay(retrier, used, env)};
  }
  for (std::size_t i = 0; i < policy.catchers.size(); ++i) {
    if (covers(policy.catchers[i].error_equals, failure.error)) return CatchAt{i};
  }
  return Propagate{};
}

}  // namespace millrace::states
