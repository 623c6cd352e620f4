#include "service/ops/engine_values.h"

#include "base/log.h"

namespace millrace::service {
namespace {

constexpr std::size_t kMachinesAtOnce = 10'000;  // state machines between two times; more are left out
constexpr const char* kEndedNames[] = {"ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut",
                                       "ExecutionsAborted"};

}  // namespace

EngineValues::EngineValues(orchestrator::Loop& loop, tasks::MetricStore& metrics,
                           tasks::EndpointHost& endpoints, Millis interval)
    : loop_(loop), metrics_(metrics), endpoints_(endpoints), interval_(interval) {}

EngineValues::~EngineValues() {
  loop_.cancel(timer_);
  hand_over();
}

void EngineValues::start() {
  timer_ = loop_.at(loop_.clock().now() + interval_, [this] {
    hand_over();
    start();
  });
}

void EngineValues::on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
                           std::span<const states::Event>) {
  if (what.child || (!tally.started && !tally.ended)) return;
  const states::Execution& execution = what.execution;
  auto found = machines_.find(execution.identity.machine_arn);
  if (found == machines_.end()) {
    if (machines_.size() >= kMachinesAtOnce) return;
    found = machines_.emplace(execution.identity.machine_arn, Machine()).first;
  }
  Machine& machine = found->second;
  machine.started += tally.started;
  if (!tally.ended || !execution.ended()) return;
  machine.ended[static_cast<std::size_t>(execution.status) - 1] += 1;
  const Millis took =
      execution.stopped.value_or(execution.started) - execution.redriven.value_or(execution.started);
  machine.time.add(static_cast<double>(took.count()));
}

void EngineValues::hand_over() {
  std::vector<tasks::MetricBatch> values = endpoints_.take_values();
  const Instant now = loop_.clock().now();
  for (auto& [arn, machine] : std::exchange(machines_, {})) {
    const auto put = [&, &of = arn](const char* name, const char* unit, tasks::Aggregate aggregate) {
      values.push_back({{"AWS/States", name, {{"StateMachineArn", of}}}, unit, now, std::move(aggregate)});
    };
    const auto count = [&](const char* name, double n) {
      if (n == 0) return;
      tasks::Aggregate aggregate;
      aggregate.add(1, n);
      put(name, "Count", std::move(aggregate));
    };
    count("ExecutionsStarted", machine.started);
    for (std::size_t i = 0; i < std::size(kEndedNames); ++i) count(kEndedNames[i], machine.ended[i]);
    if (machine.time.count > 0) put("ExecutionTime", "Milliseconds", std::move(machine.time));
  }
  if (values.empty()) return;
  if (const Status put = metrics_.put_added_up(values); !put)
    log::warning("metrics of the engine were dropped", {{"why", put.error().message}});
}

}  // namespace millrace::service
