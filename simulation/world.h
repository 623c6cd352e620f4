#pragma once
// World: an engine under virtual time with a store in memory, which keeps a Trace of every execution. What
// tasks answer is the TaskRunner's business. One thread.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "orchestrator/engine.h"
#include "simulation/scheduler.h"
#include "simulation/trace.h"

namespace millrace::simulation {

class World final : public orchestrator::Observer {
 public:
  // Both are borrowed; so are the objects, which may be null: then distributed Maps have none to read and
  // write.
  World(Scheduler& scheduler, orchestrator::TaskRunner& runner, orchestrator::EngineSettings settings,
        orchestrator::ObjectSource* objects = nullptr);
  ~World() override;

  // InvalidArgument: the definition does not compile (the first diagnostic's text), or the name is none.
  Status create_machine(const std::string& name, const std::string& definition);
  // Starts one now, under virtual time; an empty name gives it one.
  Result<ExecutionId> start(const std::string& machine, const std::string& name, const Payload& input);

  // Lets time pass until nothing more will happen, `done` says so, or `end` would be passed; false when more
  // than `steps_max` things happened (an endless loop).
  bool run(Instant end, const std::function<bool()>& done, std::uint64_t steps_max = 5'000'000);

  orchestrator::Engine& engine() { return *engine_; }
  Instant now() const { return scheduler_.clock().now(); }
  const Trace* trace(ExecutionId id) const;
  // Children of Map runs are executions, and here too.
  const std::map<ExecutionId, std::unique_ptr<Trace>>& traces() const { return traces_; }
  std::size_t running() const { return running_; }

 private:
  void on_events(ExecutionId id, const states::Execution& execution,
                 std::span<const states::Event> events) override;
  void on_progress(ExecutionId, FrameId, const std::string&, const Payload&) override {}

  // What the executions of a machine, or the children of the runs of a distributed Map in it, go through.
  struct Known {
    std::shared_ptr<const definitions::Program> program;
    std::string map_state;  // of children; else empty
    std::uint32_t children = 0;
  };
  void know(const std::string& machine, const std::shared_ptr<const definitions::Program>& program);
  Known* find_program(const std::string& machine);

  Scheduler& scheduler_;
  SimulatedLoop loop_;
  std::unique_ptr<orchestrator::Committer> committer_;
  std::unique_ptr<orchestrator::Engine> engine_;
  std::map<std::string, Known> programs_;  // by machine name, "NAME/LABEL" for children
  std::map<ExecutionId, std::unique_ptr<Trace>> traces_;
  std::size_t running_ = 0;
};

}  // namespace millrace::simulation
