#include "tasks/deployment/rollout.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kRolloutWaitMax = 3'600, kTimeoutMin = 600, kTimeoutMax = 28'800;  // seconds
constexpr std::size_t kAlarmsMax = 10;

struct PhaseName {
  RolloutPhase phase;
  std::string_view name;
};
constexpr PhaseName kPhaseNames[] = {{RolloutPhase::Shifting, "Shifting"},
                                     {RolloutPhase::Terminating, "Terminating"},
                                     {RolloutPhase::RollingBack, "RollingBack"},
                                     {RolloutPhase::Failed, "Failed"}};

Result<Millis> seconds_in(const Arguments& in, std::string_view key, std::int64_t otherwise, std::int64_t min,
                          std::int64_t max) {
  MR_TRY(seconds, in.integer_or(key, otherwise));
  if (seconds < min || seconds > max)
    return in.wrong(key, "must be from " + std::to_string(min) + " to " + std::to_string(max) + ", got " +
                             std::to_string(seconds));
  return Millis(seconds * 1000);
}

// A CapacitySize as a share, in per cent of the fleet within the range.
Result<double> capacity_share(const Arguments& in, std::string_view key, std::int64_t instances,
                              std::int64_t percent_min, std::int64_t percent_max) {
  MR_TRY(size, in.object(key));
  MR_TRY(type, size.text("Type"));
  MR_DO(size.one_of("Type", type, "INSTANCE_COUNT|CAPACITY_PERCENT"));
  MR_TRY(value, size.integer_or("Value", 0));
  if (value < 1) return size.wrong("Value", "must be at least 1");
  const bool percent = type == "CAPACITY_PERCENT";
  const std::int64_t whole = percent ? 100 : std::max<std::int64_t>(instances, 1);
  if (value * 100 < percent_min * whole || value * 100 > percent_max * whole)
    return size.wrong("Value",
                      std::to_string(value) +
                          (percent ? " %" : " of " + std::to_string(whole) + " instances") + " is not from " +
                          std::to_string(percent_min) + " to " + std::to_string(percent_max) +
                          " % of the fleet",
                      percent ? "" : "use the type CAPACITY_PERCENT");
  return static_cast<double>(value) / static_cast<double>(whole);
}

std::vector<double> equal_steps(double step) {
  std::vector<double> shares;
  for (int i = 1; static_cast<double>(i) * step < 1 - 1e-9; ++i)
    shares.push_back(static_cast<double>(i) * step);
  shares.push_back(1);
  return shares;
}

Status read_blue_green(const Arguments& policy, std::int64_t instances, RolloutPlan& plan) {
  MR_TRY(routing, policy.object("TrafficRoutingConfiguration"));
  MR_TRY(type, routing.text("Type"));
  MR_DO(routing.one_of("Type", type, "ALL_AT_ONCE|CANARY|LINEAR"));
  MR_TRY(wait, seconds_in(routing, "WaitIntervalInSeconds", 0, 0, kRolloutWaitMax));
  MR_TRY(termination_wait, seconds_in(policy, "TerminationWaitInSeconds", 0, 0, kRolloutWaitMax));
  for (const char* other : {"CanarySize", "LinearStepSize"})
    if (routing.has(other) && (type == "CANARY") != (std::string_view(other) == "CanarySize"))
      return routing.wrong(other, "does not go with Type " + type);
  if (type == "CANARY") {
    MR_TRY(canary, capacity_share(routing, "CanarySize", instances, 0, 50));
    plan.shares = {canary, 1};
  } else if (type == "LINEAR") {
    MR_TRY(step, capacity_share(routing, "LinearStepSize", instances, 10, 50));
    plan.shares = equal_steps(step);
  }
  plan.wait = wait;
  plan.termination_wait = termination_wait;
  return {};
}

Status read_rolling(const Arguments& policy, std::int64_t instances, RolloutPlan& plan) {
  MR_TRY(step, capacity_share(policy, "MaximumBatchSize", instances, 5, 50));
  if (policy.has("RollbackMaximumBatchSize"))
    MR_DO(capacity_share(policy, "RollbackMaximumBatchSize", instances, 5, 100));
  MR_TRY(wait, seconds_in(policy, "WaitIntervalInSeconds", 0, 0, kRolloutWaitMax));
  plan.shares = equal_steps(step);
  plan.wait = wait;
  return {};
}

Status read_alarms(const Arguments& config, RolloutPlan& plan) {
  MR_TRY(rollback, config.object_or_empty("AutoRollbackConfiguration"));
  MR_TRY(alarms, rollback.list("Alarms"));
  if (alarms.size() > kAlarmsMax)
    return rollback.wrong("Alarms", "at most " + std::to_string(kAlarmsMax) + " are allowed");
  for (const Arguments& alarm : alarms) {
    MR_TRY(name, alarm.text("AlarmName"));
    if (!name.starts_with(Guard::kPrefix)) {
      plan.alarms.push_back(name);
      continue;
    }
    MR_TRY(guard, Guard::parse(name));
    plan.guards.push_back(std::move(guard));
  }
  return {};
}

}  // namespace

Result<RolloutPlan> RolloutPlan::read(const Json& deployment_config, std::int64_t instances) {
  if (!deployment_config.is_object()) return invalid("DeploymentConfig: expected an object");
  const Arguments config(deployment_config, "DeploymentConfig");
  const bool blue_green = config.has("BlueGreenUpdatePolicy"), rolling = config.has("RollingUpdatePolicy");
  if (blue_green && rolling)
    return invalid("DeploymentConfig: BlueGreenUpdatePolicy and RollingUpdatePolicy exclude each other");
  RolloutPlan plan;
  MR_DO(read_alarms(config, plan));
  if (!blue_green && !rolling) return plan;
  MR_TRY(policy, config.object(blue_green ? "BlueGreenUpdatePolicy" : "RollingUpdatePolicy"));
  MR_DO(blue_green ? read_blue_green(policy, instances, plan) : read_rolling(policy, instances, plan));
  const Millis waits = plan.wait * static_cast<std::int64_t>(plan.shares.size()) + plan.termination_wait;
  if (policy.has("MaximumExecutionTimeoutInSeconds")) {
    MR_TRY(timeout, seconds_in(policy, "MaximumExecutionTimeoutInSeconds", 0, kTimeoutMin, kTimeoutMax));
    if (timeout <= waits)
      return policy.wrong(
          "MaximumExecutionTimeoutInSeconds",
          "must be longer than all waits together, " + std::to_string(waits.count() / 1000) + " s");
    plan.timeout = timeout;
  } else {
    plan.timeout = std::max(Millis(kTimeoutMax * 1000), 2 * waits);
  }
  return plan;
}

std::string_view name_of(RolloutPhase phase) {
  for (const PhaseName& row : kPhaseNames)
    if (row.phase == phase) return row.name;
  return {};
}

std::optional<RolloutPhase> phase_of(std::string_view name) {
  for (const PhaseName& row : kPhaseNames)
    if (row.name == name) return row.phase;
  return std::nullopt;
}

double share_of(const RolloutPlan& plan, const RolloutState& state) {
  if (state.phase == RolloutPhase::RollingBack) return 0;
  return plan.shares[std::min(state.step, plan.shares.size() - 1)];
}

RolloutState begin_rollout(const RolloutPlan& plan, Instant now) {
  return {RolloutPhase::Shifting, 0, now + plan.wait, now + plan.timeout};
}

RolloutState resume_rollout(const RolloutPlan& plan, RolloutState state, Instant now) {
  if (state.phase == RolloutPhase::Shifting) state.due = now + plan.wait;
  if (state.phase == RolloutPhase::Terminating) state.due = now + plan.termination_wait;
  return state;
}

RolloutDecision advance_rollout(const RolloutPlan& plan, const RolloutState& state, Instant now,
                                const std::string& trouble) {
  MR_CHECK(state.step < plan.shares.size(), "a rollout is at one of its steps");
  if (state.phase == RolloutPhase::Failed) return {RolloutMove::Wait, state};
  if (state.phase == RolloutPhase::RollingBack) return {RolloutMove::RolledBack, state};
  const auto roll_back = [&](std::string reason) {
    RolloutState next = state;
    next.phase = RolloutPhase::RollingBack;
    return RolloutDecision{RolloutMove::RollBack, next, std::move(reason)};
  };
  if (!trouble.empty()) return roll_back(trouble);
  const bool due = now >= state.due, last = state.step + 1 == plan.shares.size();
  const bool ends = state.phase == RolloutPhase::Terminating || plan.termination_wait.count() == 0;
  if (due && last && ends) return {RolloutMove::Complete, state};
  if (now >= state.deadline)
    return roll_back("the deployment took longer than MaximumExecutionTimeoutInSeconds (" +
                     std::to_string(plan.timeout.count() / 1000) + " s)");
  if (!due) return {RolloutMove::Wait, state};
  RolloutState next = state;
  if (last) {
    next.phase = RolloutPhase::Terminating;
    next.due = now + plan.termination_wait;
    return {RolloutMove::Keep, next};
  }
  ++next.step;
  next.due = now + plan.wait;
  return {RolloutMove::Shift, next};
}

}  // namespace millrace::tasks
