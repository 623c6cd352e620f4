#pragma once
// StatusEvents: "Step Functions Execution Status Change" events of the executions of this home, put on the
// default bus while some rule (or archive) may want them, after the change is durable. Each is named after
// execution, status and number of redrives, and the log of events takes a name once. The process may end
// between a change and its event: the next one looks through the executions for changes since the last event,
// and puts what is missing. So each change of a Standard execution has one event; executions of Express state
// machines and children of map runs have none. Loop thread only. Source: Step Functions developer guide,
// "Automating with EventBridge".

#include <functional>
#include <optional>
#include <string>

#include "orchestrator/engine.h"
#include "orchestrator/queries.h"
#include "service/bus/bus_store.h"

namespace millrace::bus {

class StatusEvents final : public orchestrator::Observer {
 public:
  using Put = std::function<void(std::string name, std::string bus, Payload event,
                                 std::function<void(const Status&)> done)>;

  static constexpr std::string_view kSource = "aws.states",
                                    kDetailType = "Step Functions Execution Status Change";
  static constexpr std::string_view kNames = "states/";  // names of events begin so

  // The engine is borrowed.
  StatusEvents(orchestrator::Engine& engine, BusPlace place, Put put)
      : engine_(engine), place_(std::move(place)), put_(std::move(put)) {}

  // Whether some rule may want them, since when the longest.
  void want(std::optional<Instant> since) { since_ = since; }
  // Puts what changed at or after `since` and has no event.
  void make_up(Instant since);

  bool wants(const orchestrator::Observed&) override { return false; }
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override;

 private:
  struct Change {
    const states::ExecutionIdentity& identity;
    states::ExecutionStatus status;
    Instant started;
    std::optional<Instant> stopped;
    const Payload& input;
    const std::optional<Payload>& output;
    const std::optional<Failure>& failure;
    std::uint32_t redrives = 0;
    std::optional<Instant> redriven;
    Instant at;  // of the change itself
  };
  void put(const Change& change);
  void look_through(ExecutionId before, Instant since);
  void put_row(const std::string& arn, Instant since);

  orchestrator::Engine& engine_;
  const BusPlace place_;
  const Put put_;
  std::optional<Instant> since_;  // nothing: nobody wants them
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::bus
