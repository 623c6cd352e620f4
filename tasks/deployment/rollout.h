#pragma once
// Rollout: how UpdateEndpoint's DeploymentConfig moves traffic from the old fleet to the new one, as a state
// machine: where it stands, the time and what a guard says give the next move. Pure; rollouts.h carries it
// out. Source: SageMaker API reference, DeploymentConfig; developer guide, "Deployment guardrails".

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "tasks/deployment/guards.h"

namespace millrace::tasks {

struct RolloutPlan {
  std::vector<double> shares = {1.0};  // of the traffic that the new fleet gets, step by step; the last is 1
  Millis wait{0};                      // behind each step, under the guards
  Millis termination_wait{0};          // then the old fleet stays warm for so long
  Millis timeout{0};                   // of it all
  std::vector<std::string> alarms;     // of CloudWatch, by name
  std::vector<Guard> guards;

  // `instances`: of the new fleet, for sizes that are given in instances. InvalidArgument by SageMaker's
  // rules.
  static Result<RolloutPlan> read(const Json& deployment_config, std::int64_t instances);
  // Nothing to wait for: all traffic moves with the request.
  bool at_once() const { return shares.size() == 1 && wait.count() == 0 && termination_wait.count() == 0; }
};

enum class RolloutPhase {
  Shifting,     // a step was taken and bakes
  Terminating,  // all traffic is on the new fleet, the old one is still warm
  RollingBack,  // all traffic is back on the old fleet
  Failed,       // the old fleet can't take it back
};
std::string_view name_of(RolloutPhase phase);
std::optional<RolloutPhase> phase_of(std::string_view name);

struct RolloutState {
  RolloutPhase phase = RolloutPhase::Shifting;
  std::size_t step = 0;  // of the plan's shares
  Instant due{};         // when the wait of this step ends
  Instant deadline{};    // of it all
  bool operator==(const RolloutState&) const = default;
};

// The share of requests that the new fleet gets.
double share_of(const RolloutPlan& plan, const RolloutState& state);

enum class RolloutMove { Wait, Shift, Keep, Complete, RollBack, RolledBack };
struct RolloutDecision {
  RolloutMove move = RolloutMove::Wait;
  RolloutState next;
  std::string reason = {};  // of RollBack
};

RolloutState begin_rollout(const RolloutPlan& plan, Instant now);
// What was seen before a restart is gone with the process: the wait of the step begins anew.
RolloutState resume_rollout(const RolloutPlan& plan, RolloutState state, Instant now);
// `trouble`: what a guard or an alarm says, empty: nothing.
RolloutDecision advance_rollout(const RolloutPlan& plan, const RolloutState& state, Instant now,
                                const std::string& trouble);

}  // namespace millrace::tasks
