#pragma once
// Driver: takes executions forward. Per execution one queue of stimuli and one append under way: decide,
// submit, and when the append is durable release its effects and answer. An execution that waits for time
// alone leaves memory; its history and one (due, id) pair stay. A commit that fails is treated as a crash of
// that one execution: it is forgotten and folded again from what is durable, which is the path that recovery
// tests. Loop thread only.

#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include "orchestrator/dispatch/router.h"
#include "orchestrator/dispatch/tokens.h"
#include "orchestrator/engine.h"
#include "orchestrator/machines.h"
#include "orchestrator/maps/map_run_port.h"

namespace millrace::orchestrator {

class Driver {
 public:
  using Committed = std::function<void(Result<AppendResult>)>;

  Driver(Loop& loop, Committer& committer, TaskRunner& runner, Machines& machines,
         const EngineSettings& settings);
  ~Driver();

  // A new execution; `committed` is called when its first append is durable or refused. On anything but Ok it
  // is forgotten.
  // With origin.in_memory nothing is appended: what is decided counts at once, and `id` is from
  // new_in_memory_id().
  void start(ExecutionId id, MachinePtr machine, states::stimulus::Started started, Committed committed,
             Origin origin = {});
  // Of an execution that is not stored: no stored one, of this process or another, ever has it.
  ExecutionId new_in_memory_id() { return {++last_in_memory_}; }
  // A stimulus for an execution, in memory or not. `committed` (may be empty): when what follows is durable;
  // NotFound when there is no such execution.
  void deliver(ExecutionId id, states::Stimulus stimulus, Committed committed = {}) {
    enqueue(id, {std::move(stimulus), std::move(committed)});
  }
  // The same for news of an attempt of a task that comes from outside: NotFound (Task Timed Out) when nobody
  // waits for that attempt.
  void answer(const TaskKey& task, states::Stimulus stimulus, Committed committed);
  Router& router() { return router_; }
  const TaskTokens& tokens() const { return tokens_; }
  // Which activities there are; without it every one is there.
  void activities_known(std::function<bool(std::string_view arn)> exists) {
    activity_exists_ = std::move(exists);
  }
  // Called once when the execution has ended, durably; never for one that has ended already. Answers with a
  // number of this call.
  std::uint64_t when_ended(ExecutionId id, std::function<void(const Ended&)> call);
  // Takes such a call back; false: it was made.
  bool no_longer(ExecutionId id, std::uint64_t call);
  // Whether the execution, in memory, waits for this attempt of its task.
  bool awaits(const TaskKey& task) const;
  // Takes up an unfinished execution after a restart: soon when tasks are out, else when it falls due.
  void take_up(const ExecutionRow& row);

  // An execution in memory, for what is evaluated where one of its states stands; null when it is not there.
  // It must be as it was when it is handed back.
  struct Lent {
    MachinePtr machine;
    states::Execution& execution;
  };
  std::optional<Lent> lend(ExecutionId id);

  void map_runs(MapRunPort* port) { map_runs_ = port; }  // borrowed
  void observe(Observer* observer) { observer_ = observer; }
  void on_store_error(std::function<void(const Error&)> handler) { store_error_ = std::move(handler); }
  std::size_t live() const { return live_.size(); }
  std::size_t timers() const { return due_.size(); }
  bool is_live(ExecutionId id) const { return live_.contains(id); }

 private:
  struct Item {
    states::Stimulus stimulus;
    Committed committed;
    std::optional<states::TaskAttempt> only_if_awaited = {};
  };
  class Outside;
  struct Live {
    MachinePtr machine;
    Origin origin;
    states::Execution execution;
    std::deque<Item> inbox;
    bool loading = false;     // being folded from the store
    bool committing = false;  // an append is under way
    bool created = false;     // its first append is durable
    // Of the append under way:
    std::vector<states::Effect> effects;
    std::vector<Committed> committed;
    KeptEvents shown;                // for the observer, if it wants them
    StepTally tally;                 // for the observer
    Instant armed = Instant::max();  // the earliest pair of this execution in due_
  };
  struct Due {
    Instant when;
    ExecutionId id;
    bool operator>(const Due& other) const { return when > other.when; }
  };

  void enqueue(ExecutionId id, Item item);
  void make_ready(ExecutionId id);
  void drain();
  void count(ExecutionId id, Live& live, KeptEvents events);
  static Observed observed(ExecutionId id, const Live& live);
  void step(ExecutionId id, Live& live);
  void on_committed(ExecutionId id, Result<AppendResult> result);
  void give_up(ExecutionId id, Live& live, const Result<AppendResult>& result);
  void log_failed_commit(const Error& error);
  void try_again(ExecutionId id);
  void release(ExecutionId id, Live& live);
  void perform(ExecutionId id, const Live& live, states::Effect effect);
  void start_task(ExecutionId id, const Live& live, states::effect::StartTask task);
  void take_up_some();
  void load(ExecutionId id);
  void fold(ExecutionId id, MachinePtr machine, Origin origin, const std::vector<states::Event>& events);
  void arm(ExecutionId id, Instant due, Instant& armed);
  void set_timer();
  void on_timer();

  Loop& loop_;
  Committer& committer_;
  Machines& machines_;
  const EngineSettings& settings_;
  TaskTokens tokens_;
  std::function<bool(std::string_view)> activity_exists_;
  Router router_;
  Observer* observer_ = nullptr;
  MapRunPort* map_runs_ = nullptr;
  std::function<void(const Error&)> store_error_;
  std::unordered_map<ExecutionId, std::unique_ptr<Live>> live_;
  struct Waiter {
    std::uint64_t number;
    std::function<void(const Ended&)> call;
  };
  std::unordered_map<ExecutionId, std::vector<Waiter>> waiters_;
  std::uint64_t last_waiter_ = 0;
  std::deque<ExecutionId> ready_;
  std::size_t failed_commits_ = 0;  // since the last line in the log
  std::optional<Millis> failure_logged_;
  std::deque<ExecutionId> to_take_up_;
  std::size_t taking_up_ = 0;
  bool busy_ = false;
  bool resumes_ = false;  // a drain that rested goes on from the loop
  std::uint64_t last_in_memory_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>>
      due_;  // may hold stale pairs: a late look does no harm
  TimerHandle timer_ = 0;
  Instant timer_at_ = Instant::max();
  std::shared_ptr<Driver*> self_;  // answers that come after this driver are dropped
};

Ended ended_of(ExecutionId id, const states::Execution& execution);
ExecutionRow row_of(ExecutionId id, const Machine& machine, const states::Execution& execution);

}  // namespace millrace::orchestrator
