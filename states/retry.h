#pragma once
// Retry and Catch: which rule of a state answers a failure, and how long to wait first.
// Pure: the only inputs are the rules, the attempt counts and the environment of the decision.
// Source: Amazon States Language, "Errors", Retriers and Catchers.

#include <span>
#include <variant>

#include "base/environment.h"
#include "definitions/nodes.h"

namespace millrace::states {

struct RetryAfter {
  std::uint32_t retrier = 0;
  Millis delay{0};
};
struct CatchAt {
  std::size_t catcher = 0;
};
struct Propagate {};
// What a failed attempt leads to. Exactly one alternative.
using RetryDecision = std::variant<RetryAfter, CatchAt, Propagate>;

// Picks the first retrier that names `failure.error` and has attempts left, else the first catcher that names
// it.
//   counts   one entry per retrier of `policy` that was used, in the same order; shorter means 0.
//   env      jitter is derived from env.seed.
// A failure nobody names is Propagate.
RetryDecision answer(const definitions::ErrorPolicy& policy, std::span<const std::uint32_t> counts,
                     const Failure& failure, const Environment& env);

// Whether one of the names of a retrier or catcher covers the error. States.ALL covers everything but
// States.Runtime (the guide excepts States.DataLimitExceeded too; the service was recorded to catch it);
// States.TaskFailed everything but States.Timeout; States.Timeout also States.HeartbeatTimeout.
bool covers(const std::vector<std::string>& error_equals, std::string_view error);

// min(IntervalSeconds * BackoffRate^n, MaxDelaySeconds), with FULL jitter a random part of it.
Millis retry_delay(const definitions::Retrier& retrier, std::uint32_t earlier_attempts,
                   const Environment& env);

}  // namespace millrace::states
