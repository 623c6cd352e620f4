#pragma once
// OperatorLog: what operators want to find in the log: executions that did not succeed, tasks whose failures
// no Retry answers. Inputs and outputs are never in it; causes are cut unless log.payloads is set. Loop
// thread only.

#include "orchestrator/engine.h"

namespace millrace::service {

class OperatorLog final : public orchestrator::Observer {
 public:
  bool wants(const orchestrator::Observed&) override { return false; }
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override;
};

}  // namespace millrace::service
