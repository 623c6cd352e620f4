#pragma once
// ObserverHub: one observer of the engine for many. Loop thread only.

#include <vector>

#include "orchestrator/engine.h"

namespace millrace::service {

class ObserverHub final : public orchestrator::Observer {
 public:
  void add(orchestrator::Observer* observer) { observers_.push_back(observer); }  // borrowed

  bool wants(const orchestrator::Observed& what) override {
    bool any = false;
    for (orchestrator::Observer* observer : observers_) any = observer->wants(what) || any;
    return any;
  }
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override {
    for (orchestrator::Observer* observer : observers_) observer->on_step(what, tally, events);
  }
  void on_progress(ExecutionId id, FrameId frame, const std::string& state_name,
                   const Payload& progress) override {
    for (orchestrator::Observer* observer : observers_)
      observer->on_progress(id, frame, state_name, progress);
  }

 private:
  std::vector<orchestrator::Observer*> observers_;
};

}  // namespace millrace::service
