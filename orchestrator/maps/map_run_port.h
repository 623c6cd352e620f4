#pragma once
// What the driver tells of map runs, and what it knows of the executions that are their children. Loop
// thread only.

#include "base/id.h"
#include "orchestrator/dispatch/runner.h"
#include "orchestrator/store/rows.h"
#include "states/effect.h"

namespace millrace::orchestrator {

struct Ended;

// What the driver knows of an execution beside its machine.
struct Origin {
  MapRunId map_run = {};  // which map run it is a child of; 0: of none
  std::uint32_t items = 0;
  bool in_memory = false;       // Express: nothing of it is stored, and it ends with the process
  std::string started_by = {};  // the task of another execution; empty: a client
};

class MapRunPort {
 public:
  virtual ~MapRunPort() = default;
  // An execution waits for this run: start it, or go on with it. Said again after a restart.
  virtual void start(ExecutionId parent, states::effect::StartMapRun run) = 0;
  virtual void stop(const TaskKey& key) = 0;
  // The execution was folded from its history, and start() was called for all that it waits for.
  virtual void taken_up(ExecutionId parent) = 0;
  // A child has ended, and that is durable.
  virtual void child_ended(MapRunId run, const Ended& ended) = 0;
};

}  // namespace millrace::orchestrator
