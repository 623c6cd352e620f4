#pragma once
// Router: the tasks that are out. Hands attempts to the runner, watches their heartbeats (in memory only: a
// heartbeat is never an event, a missed one becomes a stimulus) and drops reports nobody waits for. Loop
// thread only.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "orchestrator/dispatch/runner.h"
#include "orchestrator/loop/loop.h"
#include "states/stimulus.h"

namespace millrace::orchestrator {

class Router {
 public:
  // Where news about tasks goes: a stimulus for the execution.
  using Deliver = std::function<void(ExecutionId, states::Stimulus)>;
  using OnProgress =
      std::function<void(const TaskKey&, const std::string& state_name, const Payload& progress)>;

  Router(Loop& loop, TaskRunner& runner, Deliver deliver, OnProgress on_progress);
  ~Router();

  // Starts an attempt; one that is out already is left alone. A resource that no one serves fails at once
  // (from the loop).
  void start(TaskRequest request, std::optional<std::int64_t> heartbeat_seconds);
  void cancel(const TaskKey& key);
  std::size_t tasks_out() const { return out_.size(); }

 private:
  struct Out {
    std::string state_name;
    std::optional<std::int64_t> heartbeat_seconds;
    Instant heartbeat_due;
    TimerHandle timer = 0;
  };
  void on_report(const TaskKey& key, TaskReport report);
  void watch_heartbeat(const TaskKey& key, Out& out);

  Loop& loop_;
  TaskRunner& runner_;
  Deliver deliver_;
  OnProgress on_progress_;
  std::map<TaskKey, Out> out_;
  std::shared_ptr<Router*> self_;  // reports that come after this router are dropped
};

}  // namespace millrace::orchestrator
