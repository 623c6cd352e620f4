#include "tasks/deployment/rollout.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Each case: a DeploymentConfig, the instances of the new fleet, and moments "SECONDS: what was seen → move,
// the new fleet's share afterwards", in order. A move of Wait is said as "-".
constexpr const char* kCases = R"json([
{"what": "all at once, under alarms for a while",
 "config": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}}},
 "then": [[0, "", "-", 1], [59, "", "-", 1], [60, "", "Complete", 1]]},
{"what": "a canary of a tenth, then the rest, then the old fleet stays warm",
 "config": {"BlueGreenUpdatePolicy": {"TerminationWaitInSeconds": 30, "TrafficRoutingConfiguration":
   {"Type": "CANARY", "WaitIntervalInSeconds": 60, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}}},
 "then": [[0, "", "-", 0.1], [60, "", "Shift", 1], [119, "", "-", 1], [120, "", "Keep", 1], [149, "", "-", 1], [150, "", "Complete", 1]]},
{"what": "a canary of one of four instances",
 "config": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration":
   {"Type": "CANARY", "WaitIntervalInSeconds": 1, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}}},
 "instances": 4, "then": [[0, "", "-", 0.25], [1, "", "Shift", 1], [2, "", "Complete", 1]]},
{"what": "linear steps of 30 % end with what is left",
 "config": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration":
   {"Type": "LINEAR", "WaitIntervalInSeconds": 10, "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 30}}}},
 "then": [[0, "", "-", 0.3], [10, "", "Shift", 0.6], [20, "", "Shift", 0.9], [30, "", "Shift", 1], [40, "", "Complete", 1]]},
{"what": "rolling batches of a half",
 "config": {"RollingUpdatePolicy": {"WaitIntervalInSeconds": 10, "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}},
 "then": [[0, "", "-", 0.5], [10, "", "Shift", 1], [20, "", "Complete", 1]]},
{"what": "a guard fires while the canary bakes: back at once",
 "config": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration":
   {"Type": "CANARY", "WaitIntervalInSeconds": 60, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}}},
 "then": [[5, "", "-", 0.1], [6, "errors", "RollBack: errors", 0], [6, "", "RolledBack", 0]]},
{"what": "a guard that fires with the step's end wins, and it fires behind the last step, too",
 "config": {"BlueGreenUpdatePolicy": {"TerminationWaitInSeconds": 30, "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 5}}},
 "then": [[5, "", "Keep", 1], [35, "slow", "RollBack: slow", 0]]},
{"what": "out of time: back; but not when it would end now",
 "config": {"BlueGreenUpdatePolicy": {"MaximumExecutionTimeoutInSeconds": 600, "TrafficRoutingConfiguration":
   {"Type": "CANARY", "WaitIntervalInSeconds": 250, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}}},
 "then": [[400, "", "Shift", 1], [601, "", "RollBack: the deployment took longer than MaximumExecutionTimeoutInSeconds (600 s)", 0]]},
{"what": "late, but done",
 "config": {"BlueGreenUpdatePolicy": {"MaximumExecutionTimeoutInSeconds": 600, "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 250}}},
 "then": [[700, "", "Complete", 1]]},
{"what": "steps without waits go one by one",
 "config": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}}},
 "then": [[0, "", "Shift", 1], [0, "", "Complete", 1]]}
])json";

std::string move_name(const RolloutDecision& decision) {
  constexpr const char* kNames[] = {"-", "Shift", "Keep", "Complete", "RollBack", "RolledBack"};
  const std::string name = kNames[static_cast<std::size_t>(decision.move)];
  return decision.reason.empty() ? name : name + ": " + decision.reason;
}

struct Refused {
  const char *config, *says;
};
constexpr Refused kRefused[] = {
    {R"({"BlueGreenUpdatePolicy":{}})", "TrafficRoutingConfiguration"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"SLOWLY"}}})", "ALL_AT_ONCE"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"CANARY","WaitIntervalInSeconds":1}}})",
     "CanarySize"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"CANARY","CanarySize":{"Type":"CAPACITY_PERCENT","Value":51}}}})",
     "51 % is not from 0 to 50 %"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"CANARY","CanarySize":{"Type":"INSTANCE_COUNT","Value":1}}}})",
     "1 of 1 instances"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"LINEAR","LinearStepSize":{"Type":"CAPACITY_PERCENT","Value":9}}}})",
     "9 % is not from 10 to 50 %"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"ALL_AT_ONCE","CanarySize":{"Type":"CAPACITY_PERCENT","Value":9}}}})",
     "does not go with Type ALL_AT_ONCE"},
    {R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"ALL_AT_ONCE","WaitIntervalInSeconds":3601}}})",
     "from 0 to 3600, got 3601"},
    {R"({"BlueGreenUpdatePolicy":{"MaximumExecutionTimeoutInSeconds":599,"TrafficRoutingConfiguration":{"Type":"ALL_AT_ONCE"}}})",
     "from 600 to 28800"},
    {R"({"BlueGreenUpdatePolicy":{"MaximumExecutionTimeoutInSeconds":600,"TrafficRoutingConfiguration":{"Type":"ALL_AT_ONCE","WaitIntervalInSeconds":600}}})",
     "longer than all waits together, 600 s"},
    {R"({"RollingUpdatePolicy":{"WaitIntervalInSeconds":1}})", "MaximumBatchSize"},
    {R"({"RollingUpdatePolicy":{"MaximumBatchSize":{"Type":"CAPACITY_PERCENT","Value":10}},"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"ALL_AT_ONCE"}}})",
     "exclude each other"},
    {R"({"AutoRollbackConfiguration":{"Alarms":[{"AlarmName":"millrace:speed > 1"}]}})", "is no guard"},
    {R"({"AutoRollbackConfiguration":{"Alarms":[{}]}})", "AlarmName"},
    {R"(3)", "expected an object"},
};

}  // namespace

TEST_CASE("Rollout: what was seen and the time give the next move") {
  const Json cases = parse(kCases);
  REQUIRE(cases.size() == 10);
  for (const Json& one : cases) {
    INFO(one["what"].get<std::string>());
    const auto plan = RolloutPlan::read(one["config"], one.value("instances", 1));
    REQUIRE(plan);
    const Instant begin = from_millis(1'700'000'000'000);
    RolloutState state = begin_rollout(*plan, begin);
    for (const Json& moment : one["then"]) {
      INFO(moment.dump());
      const Instant now = begin + Millis(moment[0].get<std::int64_t>() * 1000);
      const RolloutDecision decision = advance_rollout(*plan, state, now, moment[1].get<std::string>());
      CHECK(move_name(decision) == moment[2].get<std::string>());
      state = decision.next;
      CHECK(share_of(*plan, state) == doctest::Approx(moment[3].get<double>()));
    }
  }
}

TEST_CASE("Rollout: a wait begins anew after a restart, the deadline does not") {
  const auto plan = RolloutPlan::read(parse(R"({"BlueGreenUpdatePolicy":{"TerminationWaitInSeconds":7,
      "TrafficRoutingConfiguration":{"Type":"ALL_AT_ONCE","WaitIntervalInSeconds":60}}})"),
                                      1);
  REQUIRE(plan);
  const Instant begin = from_millis(1'700'000'000'000), later = begin + Millis(50'000);
  RolloutState state = resume_rollout(*plan, begin_rollout(*plan, begin), later);
  CHECK(state.due == later + Millis(60'000));
  CHECK(state.deadline == begin_rollout(*plan, begin).deadline);
  state.phase = RolloutPhase::Terminating;
  CHECK(resume_rollout(*plan, state, later).due == later + Millis(7'000));
  state.phase = RolloutPhase::RollingBack;
  CHECK(resume_rollout(*plan, state, later) == state);
}

TEST_CASE("Rollout: a DeploymentConfig is refused with the place and the range") {
  for (const Refused& one : kRefused) {
    INFO(one.config);
    const auto plan = RolloutPlan::read(parse(one.config), 1);
    REQUIRE(!plan);
    CHECK(plan.error().code == ErrorCode::InvalidArgument);
    INFO(plan.error().message);
    CHECK(plan.error().message.find(one.says) != std::string::npos);
  }
  const auto alarms = RolloutPlan::read(
      parse(
          R"({"AutoRollbackConfiguration":{"Alarms":[{"AlarmName":"a"},{"AlarmName":"millrace:accuracy < 0.9"}]}})"),
      1);
  REQUIRE(alarms);
  CHECK(alarms->at_once());
  CHECK(alarms->alarms == std::vector<std::string>{"a"});
  CHECK(alarms->guards.size() == 1);
}
