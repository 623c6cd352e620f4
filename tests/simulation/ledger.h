#pragma once
// Ledger: what is durable, and the checks of everything that becomes so. Outlives every life of the engine.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "definitions/compile.h"
#include "orchestrator/dispatch/runner.h"
#include "orchestrator/store/store.h"
#include "states/decide.h"

namespace millrace::simulation {

using orchestrator::Append;
using orchestrator::AppendResult;
using orchestrator::TaskKey;

// The first thing that was wrong; later ones follow from it.
class Findings {
 public:
  void add(std::string what) {
    if (first_.empty()) first_ = std::move(what);
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

class Ledger {
 public:
  struct Shadow {
    std::shared_ptr<const definitions::Program> program;
    states::Execution execution;  // fold of the events in the store
    Instant last_time;
  };

  Ledger(const Clock& clock, Findings& findings) : clock_(clock), findings_(findings) {}

  orchestrator::Store& store() { return *store_; }
  std::vector<AppendResult> commit(const std::vector<Append>& group);

  const Shadow* find(ExecutionId id) const;
  const std::map<ExecutionId, Shadow>& shadows() const { return shadows_; }
  std::size_t unfinished() const { return unfinished_; }
  // True when the durable history says that this attempt is out: what a runner may be asked to carry out.
  bool outstanding(const TaskKey& key) const;
  // The outcome the runner reported for an attempt, to compare with what is recorded.
  void delivered(const TaskKey& key, const Outcome& outcome) { delivered_.insert_or_assign(key, outcome); }
  // The engine's view of an execution is the fold of what is durable.
  void check_view(ExecutionId id, const states::Execution& seen);
  // Changes with every commit, its content and its time: equal for equal runs.
  std::uint64_t trace() const { return trace_; }
  std::uint64_t events() const { return events_; }
  const std::map<states::EventType, std::uint64_t>& types() const { return types_; }

 private:
  void take(const Append& append);
  void check_event(ExecutionId id, const Shadow& shadow, const states::Event& event);
  void check_nested(ExecutionId id, const TaskKey& key, bool succeeded);
  void check_outcome(ExecutionId id, const states::Frame& frame, const states::Event& event);
  void wrong(ExecutionId id, const std::string& what);

  const Clock& clock_;
  Findings& findings_;
  std::unique_ptr<orchestrator::Store> store_ = orchestrator::make_memory_store();
  std::map<orchestrator::MachineId, std::shared_ptr<const definitions::Program>> programs_;
  std::map<ExecutionId, Shadow> shadows_;
  std::map<std::string, ExecutionId> children_;  // by the task that started them
  std::size_t unfinished_ = 0;
  std::set<TaskKey> recorded_;
  std::map<TaskKey, Outcome> delivered_;
  std::map<states::EventType, std::uint64_t> types_;
  std::uint64_t trace_ = 0, events_ = 0;
};

}  // namespace millrace::simulation
