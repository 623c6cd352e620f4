#pragma once
// StateMachineLogs: what a state machine's loggingConfiguration asks for: its executions' history events, as
// JSON objects in AWS's shape, to the log group of its destination; one stream a state machine and day.
// Executions of Express state machines are kept nowhere else. The loop thread picks the events and hands them
// over; the writer's thread makes lines of them. Loop thread only. Source: Step Functions
// developer guide, "Logging using CloudWatch Logs" (levels and their events).

#include <map>
#include <string>

#include "orchestrator/engine.h"
#include "service/ops/log_writer.h"

namespace millrace::service {

enum class LogLevel { Off, Fatal, Error, All };

// Whether a level shows events of that type.
bool shows(LogLevel level, states::EventType type);

class StateMachineLogs final : public orchestrator::Observer {
 public:
  explicit StateMachineLogs(LogWriter& writer) : writer_(writer) {}  // borrowed

  bool wants(const orchestrator::Observed& what) override;
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override;

 private:
  struct Configuration {
    LogLevel level = LogLevel::Off;
    bool data = false;
    std::string group;
  };
  const Configuration& of(const orchestrator::Observed& what);

  LogWriter& writer_;
  std::map<orchestrator::MachineId, Configuration> known_;  // by revision
};

}  // namespace millrace::service
