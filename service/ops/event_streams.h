#pragma once
// EventStreams: GET /v1/events, Millrace's own: what happens, as server-sent events.
//
//   ?executionArn=ARN      history events of one execution, each with its number as id, and its status
//   ?stateMachineArn=ARN   status changes of its executions; without either, of all
//   &includeExecutionData=false   history events without inputs and outputs
//
// An execution's stream reads the store up to where it is and then follows what is committed; a client that
// comes back with Last-Event-ID gets what it missed, without a gap and without a repeat, also after a
// restart. It ends when the execution has; a client that had everything is answered 204, which tells it to
// stay away. Status changes of many executions come from a bounded memory of the last ones: who comes back
// too late, or to another process, gets `resync` and reads the lists again; who reads too slowly gets
// `dropped`, and the end. What a client has not read is bounded: sending rests until it does. Loop thread
// only. Source: WHATWG HTML, "Server-sent events".

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "orchestrator/engine.h"
#include "service/http/server.h"
#include "service/ops/settings.h"

namespace millrace::service {

class EventStreams final : public orchestrator::Observer {
 public:
  // Borrowed, and outlives this. `epoch` tells the ids of this process from another's.
  EventStreams(orchestrator::Engine& engine, orchestrator::Loop& loop, EventSettings settings,
               std::uint64_t epoch, metrics::Registry& registry);
  ~EventStreams() override;

  static bool serves(const http::Request& request);
  void handle(http::ExchangePtr exchange);
  std::size_t clients() const { return clients_.size(); }

  bool wants(const orchestrator::Observed& what) override;
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override;
  void on_progress(ExecutionId id, FrameId frame, const std::string& state_name,
                   const Payload& progress) override;

 private:
  struct Client;
  using ClientPtr = std::shared_ptr<Client>;
  struct Change {
    std::string machine_arn, text;
  };

  void open_execution(http::ExchangePtr exchange, const std::string& arn, bool data);
  void open_changes(const http::ExchangePtr& exchange, std::string machine_arn);
  bool full(const http::ExchangePtr& exchange);
  void begin(const ClientPtr& client, const http::ExchangePtr& exchange);
  void pull(const ClientPtr& client);
  void follow(const ClientPtr& client, const orchestrator::Observed& what,
              std::span<const states::Event> events);
  void pump(const ClientPtr& client);
  bool write(Client& client, std::string text);
  void close(const ClientPtr& client);
  void beat();

  orchestrator::Engine& engine_;
  orchestrator::Loop& loop_;
  const EventSettings settings_;
  const std::string epoch_;
  metrics::Counter& dropped_;
  std::unordered_map<Client*, ClientPtr> clients_;
  std::unordered_multimap<ExecutionId, Client*> by_execution_;
  std::deque<Change> recent_;
  std::uint64_t next_change_ = 1;  // number of the change that comes next; recent_ holds those before it
  orchestrator::TimerHandle beat_ = 0;
  std::shared_ptr<EventStreams*> self_;  // answers of the store that come after this object are dropped
};

}  // namespace millrace::service
