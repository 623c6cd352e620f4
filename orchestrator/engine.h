#pragma once
// Engine: what a client may ask. Loop thread only. Answers come when what they tell is durable.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/result.h"
#include "orchestrator/committer.h"
#include "orchestrator/dispatch/activities.h"
#include "orchestrator/dispatch/runner.h"
#include "orchestrator/engine_metrics.h"
#include "orchestrator/loop/loop.h"
#include "orchestrator/store/store.h"
#include "states/decide.h"

namespace millrace::orchestrator {

class ObjectSource;
class Background;

// What Distributed Maps read from and write to, and where they wait for a disk; borrowed. Without a source of
// objects, maps over the input of their state run all the same; without a background, the loop itself waits.
struct MapSupport {
  ObjectSource* objects = nullptr;
  Background* background = nullptr;
};

struct EngineSettings {
  Limits limits;
  MapSupport maps = {};
  std::string region = "us-east-1", account = "123456789012";
  std::string role_arn = "arn:aws:iam::123456789012:role/millrace";
  std::size_t live_executions_max =
      100'000;  // in memory at once; beyond it, starts are refused with LimitExceeded
  Millis park_after =
      std::chrono::seconds(30);  // an execution that waits longer than this for time alone leaves memory
  ActivitySettings activities;
  bool callbacks =
      true;  // tasks by token and activities wait for their workers; false: the runner answers them
  std::string token_secret = "millrace tests";  // signs task tokens; the shell hands in the home's own
  bool nested_executions = true;  // tasks about executions are carried out here, not by the runner
  EngineMetrics metrics = {};     // what is counted; borrowed
  std::uint64_t seed = 0;         // of the engine's random names and jitter; the shell hands in a random one
};

// The task of another execution that starts this one. Starting it again for the same attempt of the same task
// answers with the execution that is there: a task that is carried out again after a crash has one child.
struct Parent {
  TaskKey task;
  bool waits = false;  // for the child's end: it is stopped with its parent
};
std::string parent_text(const Parent& parent);  // as rows keep it

struct StartRequest {
  std::string machine;  // its ARN or name: the newest revision runs; or a version's or alias's ARN
  std::string name;     // empty: a UUID
  Payload input = Payload::empty_object();
  std::optional<Parent> parent = {};
  std::optional<MachineType> only = {};  // another type is refused: StateMachineTypeNotSupported
};

// A synchronous Express execution, from its start to its end.
struct SyncResult {
  std::string arn, name, machine_arn;
  Instant started, stopped;
  Payload input;
  states::ExecutionStatus status = states::ExecutionStatus::Running;
  std::optional<Payload> output = {};
  std::optional<Failure> failure = {};
};

struct Started {
  ExecutionId id;
  std::string arn, name;
  Instant started;
  bool existed = false;  // the same name and input was already running: idempotent
};

struct Ended {
  ExecutionId id;
  states::ExecutionStatus status = states::ExecutionStatus::Running;
  std::optional<Payload> output;
  std::optional<Failure> failure;
};

struct RecoverySummary {
  std::size_t executions = 0;  // unfinished ones taken up again
  std::size_t tasks = 0;       // those of them that had tasks out: started again
};

struct Machine;

// Events of one append, for who wants to keep them: immutable, to be read by any thread.
using KeptEvents = std::shared_ptr<const std::vector<states::Event>>;

// What observers are shown: an execution as it is now, and what it runs.
struct Observed {
  ExecutionId id;
  const Machine& machine;
  const states::Execution& execution;
  bool in_memory = false;  // Express: nothing of it is stored
  bool child = false;      // of a map run
  // In on_step, what its `events` are part of; null when they were not wanted.
  KeptEvents kept = nullptr;
};

// What the events of one append come to.
struct StepTally {
  bool started = false, redriven = false, ended = false;
  std::uint32_t transitions = 0;  // states entered
  std::uint32_t retries = 0;      // attempts that will be made again
  std::uint32_t failures = 0;     // of attempts that will not
};
StepTally tally_of(std::span<const states::Event> events);

// Sees what happens, after it is durable. Loop thread. `execution` is as it is after `events`.
class Observer {
 public:
  virtual ~Observer() = default;
  // Whether it wants the events of what this execution does next; asked before each append. Keeping them
  // costs a copy.
  virtual bool wants(const Observed&) { return true; }
  // Something is durable. `events` is empty when they were not wanted.
  virtual void on_step(const Observed& what, const StepTally&, std::span<const states::Event> events) {
    if (!events.empty()) on_events(what.id, what.execution, events);
  }
  virtual void on_events(ExecutionId, const states::Execution&, std::span<const states::Event>) {}
  virtual void on_progress(ExecutionId, FrameId, const std::string& /*state_name*/, const Payload&) {}
};

class Machines;
class Queries;
class Resources;
class MapRuns;

class Engine {
 public:
  template <class T>
  using Reply = std::function<void(Result<T>)>;

  // Everything is borrowed and must outlive the engine. `last` is the store's last_execution().
  Engine(Loop& loop, Committer& committer, TaskRunner& runner, EngineSettings settings, ExecutionId last);
  ~Engine();

  // Compiles and stores a definition under a name. InvalidArgument carries the first diagnostic's text.
  void create_machine(std::string name, std::string definition, Reply<MachineRow> reply);
  // Its executions that still run are stopped; when they have ended, its name is free. Replies when it is
  // marked so; absent: nothing happens.
  void delete_machine(const std::string& arn, Reply<void> reply);
  // Replies when durable; an execution of an Express state machine is only started, runs in memory, and its
  // name may be taken. NotFound (no such machine), AlreadyExists (the name is taken by another input or
  // has ended), InvalidArgument (name), LimitExceeded, and the store's errors. `ended` (may be empty) is
  // called once when the execution has ended and that is durable, before or after the reply.
  void start_execution(StartRequest request, Reply<Started> reply,
                       std::function<void(const Ended&)> ended = {});
  // Runs an execution of an Express state machine in memory and replies with its end. The errors of
  // start_execution, and InvalidArgument (StateMachineTypeNotSupported) for a standard one.
  void start_sync_execution(StartRequest request, Reply<SyncResult> reply);
  // Replies when the execution has ended because of it, or NotFound / InvalidArgument when it had ended
  // before.
  void stop_execution(ExecutionId id, Failure reason, Reply<void> reply);
  // An execution that did not succeed goes on from where it failed; replies, when that is durable, with the
  // time. NotFound; InvalidArgument with AWS's reason when it can't be redriven. A `client_token` (may be
  // empty) that redrove the execution in the last 15 minutes gets the answer it got then.
  void redrive_execution(const std::string& arn, std::string client_token, Reply<Instant> reply);
  // What a task's token (.waitForTaskToken, activities) is answered with; replies when that is durable.
  // InvalidArgument: Invalid Token; NotFound: Task Timed Out, when nobody waits for that attempt any more.
  void send_task_success(const std::string& token, Payload output, Reply<void> reply);
  void send_task_failure(const std::string& token, Failure failure, Reply<void> reply);
  void send_task_heartbeat(const std::string& token, Reply<void> reply);
  // Waits for a task of the activity; nothing when none came in time. LimitExceeded: too many workers wait.
  // `on_gone` (may be empty) is given what to call when the worker goes: it must not be handed the next task.
  struct WorkerTask {
    std::string token;
    Payload input;
  };
  void get_activity_task(const std::string& activity, std::string worker,
                         Reply<std::optional<WorkerTask>> reply,
                         const std::function<void(std::function<void()>)>& on_gone = {});
  void end_polls();  // answers the workers that wait, with nothing: the server is about to stop
  // Called once when the execution has ended; at once (from the loop) if it has. NotFound otherwise.
  void when_ended(ExecutionId id, Reply<Ended> reply);
  // Takes up unfinished executions: call once, before anything else. Replies when all are in hand.
  void recover(Reply<RecoverySummary> reply);
  // The store failed to commit (disk full, damage): nothing was acknowledged; the shell decides whether to
  // stop.
  void on_store_error(std::function<void(const Error&)> handler);
  void observe(Observer* observer);  // null: none; borrowed

  std::size_t live() const;  // executions in memory
  EngineGauges gauges() const;
  Machines& machines();    // what may be done with state machines, versions, aliases
  Queries& queries();      // what may be asked about executions
  Resources& resources();  // tags and activities
  MapRuns& map_runs();     // runs of Distributed Maps: describe, update
  const EngineSettings& settings() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

std::string execution_arn(const EngineSettings& settings, std::string_view machine_name,
                          std::string_view name);
std::string machine_arn(const EngineSettings& settings, std::string_view name);
std::string activity_arn(const EngineSettings& settings, std::string_view name);
// Names of executions, state machines and activities: "Invalid Name: '…'".
Status check_name(std::string_view name, const Limits& limits);

}  // namespace millrace::orchestrator
