#pragma once
// NestedRunner: Task states that are about executions themselves: states:startExecution in all its patterns,
// and aws-sdk:sfn. Everything else goes to the runner inside. A task has one child however often it is
// carried out: the child's name and its row tell whose it is. Loop thread only.
// Source: Step Functions developer guide, "Start a new AWS Step Functions execution" and "AWS SDK service
// integrations".

#include <map>
#include <memory>

#include "orchestrator/engine.h"

namespace millrace::orchestrator {

class NestedRunner final : public TaskRunner {
 public:
  // All borrowed; `engine` is asked for nothing before the first start().
  NestedRunner(Engine& engine, Loop& loop, TaskRunner& inner);
  ~NestedRunner() override;

  bool serves(const std::string& resource) const override;
  void start(TaskRequest request, Report report) override;
  // A child that the task waits for is stopped with it.
  void cancel(const TaskKey& key) override;

 private:
  enum class Pattern { Request, Sync, Sync2, Token };
  struct Call;
  using CallPtr = std::shared_ptr<Call>;
  struct Action {
    std::string_view name;
    void (NestedRunner::*run)(const CallPtr& call);
  };
  struct Parsed {
    const Action* action = nullptr;
    bool sdk = false;
    Pattern pattern = Pattern::Request;
  };
  static std::optional<Parsed> parse(std::string_view resource);

  void start_execution(const CallPtr& call);
  void start_sync_execution(const CallPtr& call);
  void describe_execution(const CallPtr& call);
  void list_executions(const CallPtr& call);
  void stop_execution(const CallPtr& call);
  void redrive_execution(const CallPtr& call);
  void send_task_success(const CallPtr& call);
  void send_task_failure(const CallPtr& call);
  void send_task_heartbeat(const CallPtr& call);

  std::function<void(Status)> answered(const CallPtr& call);  // by {}
  void on_started(const CallPtr& call, const Result<Started>& started);
  void on_child_ended(const CallPtr& call);
  void on_express_ended(const CallPtr& call, const Payload& input, const Ended& end);
  void answer_stopped(const CallPtr& call, const Result<ExecutionRow>& row);
  void stop_child(const Call& call);
  void finish(const CallPtr& call, Outcome outcome);
  void refuse(const CallPtr& call, const Error& error);

  Engine& engine_;
  Loop& loop_;
  TaskRunner& inner_;
  std::map<TaskKey, CallPtr> calls_;
  std::shared_ptr<NestedRunner*> self_;  // answers that come after this runner are dropped
};

}  // namespace millrace::orchestrator
