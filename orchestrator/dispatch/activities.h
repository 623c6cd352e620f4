#pragma once
// Activities: tasks that wait for workers of their own, one queue an activity, and the workers that wait for
// tasks. In memory only: after a restart the executions say again what they wait for. Loop thread only.
// Source: Step Functions developer guide, "Activities"; GetActivityTask in the API reference.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "orchestrator/dispatch/runner.h"
#include "orchestrator/loop/loop.h"

namespace millrace::orchestrator {

struct ActivityTask {
  TaskKey key;
  Payload input;
};

struct ActivitySettings {
  Millis poll_time_max = std::chrono::seconds(60);  // how long GetActivityTask waits for a task
  std::size_t pollers_max = 1'000;                  // of one activity; beyond it: LimitExceeded
};

class Activities {
 public:
  // Makes it durable that a worker has the task; `done(false)`: nobody waits for it any more.
  using Take =
      std::function<void(const ActivityTask&, const std::string& worker, std::function<void(bool)> done)>;
  using Reply = std::function<void(Result<std::optional<ActivityTask>>)>;

  Activities(Loop& loop, Take take, const ActivitySettings& settings);
  ~Activities();

  void schedule(const std::string& arn, ActivityTask task);
  void cancel(const TaskKey& key);  // if it still waits for a worker
  // The oldest task of the activity, durably taken; nothing when none came in time. Returns the poll's id.
  std::uint64_t poll(const std::string& arn, std::string worker, Reply reply);
  // The worker does not wait any more: its poll is answered with nothing. A task that is already on its way
  // goes to it all the same, another one does not.
  void withdraw(const std::string& arn, std::uint64_t poll);
  void end_polls();  // answers all that wait, with nothing
  std::size_t waiting() const { return queued_.size(); }

 private:
  struct Poller {
    std::uint64_t id = 0;
    std::string worker;
    Reply reply;
    Instant until;
    TimerHandle timer = 0;
  };
  struct Queue {
    std::deque<ActivityTask> tasks;  // may hold ones that were cancelled
    std::deque<Poller> pollers;
  };
  void match(const std::string& arn);
  void give(const std::string& arn, ActivityTask task, Poller poller);
  void give_up(const std::string& arn, std::uint64_t poller);
  std::optional<Poller> extract(const std::string& arn, std::uint64_t poller);

  Loop& loop_;
  Take take_;
  const ActivitySettings settings_;
  std::map<std::string, Queue, std::less<>> queues_;
  std::map<TaskKey, std::string> queued_;  // and the activity they wait at
  std::set<std::uint64_t> giving_;         // polls that a task is on its way to, and that were not withdrawn
  std::uint64_t pollers_ = 0;
  std::shared_ptr<Activities*> self_;
};

}  // namespace millrace::orchestrator
