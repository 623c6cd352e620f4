#pragma once
// EngineValues: what the engine and its endpoints do, as values of the home's metrics under CloudWatch's
// names, so that alarms can watch them: AWS/States by state machine, AWS/SageMaker by endpoint and variant.
// They are added up in memory and handed over every `interval`; what a kill loses is the last of these. Loop
// thread only. Source: Step Functions developer guide, "CloudWatch metrics"; Amazon SageMaker developer
// guide.

#include <map>
#include <string>

#include "orchestrator/engine.h"
#include "orchestrator/loop/loop.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/metrics/metric_store.h"

namespace millrace::service {

class EngineValues final : public orchestrator::Observer {
 public:
  // All are borrowed.
  EngineValues(orchestrator::Loop& loop, tasks::MetricStore& metrics, tasks::EndpointHost& endpoints,
               Millis interval);
  ~EngineValues() override;
  void start();

  bool wants(const orchestrator::Observed&) override { return false; }
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override;

 private:
  struct Machine {
    double started = 0, ended[4] = {};  // in the order of ExecutionStatus, behind Running
    tasks::Aggregate time;              // milliseconds
  };
  void hand_over();

  orchestrator::Loop& loop_;
  tasks::MetricStore& metrics_;
  tasks::EndpointHost& endpoints_;
  const Millis interval_;
  std::map<std::string, Machine> machines_;  // by ARN, since the last time
  orchestrator::TimerHandle timer_ = 0;
};

}  // namespace millrace::service
