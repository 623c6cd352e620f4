#pragma once
// Router: the tasks that are out. Hands attempts to the runner, watches their heartbeats (in memory only: a
// heartbeat is never an event, a missed one becomes a stimulus) and drops reports nobody waits for. Loop
// thread only.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "definitions/resource.h"
#include "orchestrator/dispatch/activities.h"
#include "orchestrator/dispatch/runner.h"
#include "orchestrator/dispatch/task_series.h"
#include "orchestrator/loop/loop.h"
#include "states/stimulus.h"

namespace millrace::orchestrator {

// Beside what the runner hears of a task.
struct Dispatch {
  std::optional<std::int64_t> heartbeat_seconds;
  definitions::TaskFamily family = definitions::TaskFamily::Service;
  bool by_token = false;   // .waitForTaskToken: the runner's success only says that it was sent
  bool under_way = false;  // a worker has it already, or its token is out: only watched
};

class Router {
 public:
  // Where news about tasks goes: a stimulus for the execution.
  using Deliver = std::function<void(ExecutionId, states::Stimulus)>;
  using OnProgress =
      std::function<void(const TaskKey&, const std::string& state_name, const Payload& progress)>;

  // `take`: see Activities.
  Router(Loop& loop, TaskRunner& runner, Deliver deliver, OnProgress on_progress, Activities::Take take,
         const ActivitySettings& activities, TaskSeriesOf series = {});
  ~Router();

  // Starts an attempt; one that is out already is left alone. A resource that no one serves fails at once
  // (from the loop). An activity's task goes into its queue.
  void start(TaskRequest request, const Dispatch& how);
  void cancel(const TaskKey& key);
  // A worker or whoever has the token is alive; false: nobody waits for it.
  bool heartbeat(const TaskKey& key);
  // It was answered by its token.
  void forget(const TaskKey& key, bool succeeded);
  Activities& activities() { return activities_; }
  std::size_t tasks_out() const { return out_.size(); }

 private:
  struct Out {
    std::string state_name;
    std::optional<std::int64_t> heartbeat_seconds;
    bool by_token = false, activity = false;
    Instant heartbeat_due;
    TimerHandle timer = 0;
    const TaskSeries* series = nullptr;  // null: not counted
    Instant started;
  };
  void on_report(const TaskKey& key, TaskReport report);
  void begin_heartbeat(const TaskKey& key, Out& out);
  void watch_heartbeat(const TaskKey& key, Out& out);
  void count_end(const Out& out, metrics::Counter* TaskSeries::*outcome) const;

  Loop& loop_;
  TaskRunner& runner_;
  Deliver deliver_;
  OnProgress on_progress_;
  TaskSeriesOf series_of_;
  std::map<TaskKey, Out> out_;
  Activities activities_;
  std::shared_ptr<Router*> self_;  // reports that come after this router are dropped
};

}  // namespace millrace::orchestrator
