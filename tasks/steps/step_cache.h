#pragma once
// The step cache: a job that would do what an earlier one did takes over its result. Asked for by the job's
// tag millrace:cache (how long a result is good: "P30D", "PT12H"; "on": for ever; "off"), else by the setting
// of the process. What counts is the step's Key (step_record.h); the earlier job's outputs must be there with
// the same bytes. Both answers come with their reasons in plain words. Worker thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/jobs.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {

inline constexpr std::string_view kCacheTag = "millrace:cache";

struct CachePolicy {
  std::string text = "off";  // as it was given
  bool on = false;
  Millis keep{0};  // 0: for ever
};
// "P30D", "P2W", "PT12H30M", "P1DT6H"; "on", "off" and "" (off). InvalidArgument.
Result<CachePolicy> parse_cache_policy(std::string_view text);
// That of the request's tag, else `otherwise`.
Result<CachePolicy> cache_policy_of(const Json& request, std::string_view otherwise);

struct CacheAnswer {
  std::optional<Json> source;    // the record of the job whose result is good for this one
  std::vector<std::string> why;  // lines for people
};
struct CacheQuestion {
  const EntityKind& kind;
  const std::string& name;  // of the job that asks
  const Json& step;
  CachePolicy policy;
  std::int64_t now_ms = 0;
  // Whether a source can stand for this job; empty: any can.
  std::function<bool(const Json& source)> fits = {};
};
CacheAnswer ask_step_cache(const CacheQuestion& question, const Jobs& jobs, const StepTools& tools);

// What differs between an earlier step and this one: "eta 0.1 → 0.2", "train: data.csv changed: sha256 …".
std::vector<std::string> step_differences(const Json& earlier, const Json& now);

// Puts the earlier job's outputs where this job's belong, where these are other places; training jobs keep
// the earlier artifact. `fields` are the earlier job's result, in which the places are replaced, too. The
// outputs of the new record.
Result<Json> reuse_outputs(const StepPlan& plan, const Json& source_step, Json& fields,
                           const StepTools& tools);

}  // namespace millrace::tasks
