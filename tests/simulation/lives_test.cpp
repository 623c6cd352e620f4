// What an engine does between an answer of the store and its own next step, and in its next life: commits
// that are durable and not yet heard of, reads that are old when they arrive.

#include <doctest/doctest.h>

#include "orchestrator/engine.h"
#include "orchestrator/queries.h"
#include "simulation/scheduler.h"

using namespace millrace;
using namespace millrace::simulation;
using namespace millrace::orchestrator;
using states::ExecutionStatus;

namespace {

// Writes and reads at once; what came of it is heard of later.
class LateCommitter final : public Committer {
 public:
  LateCommitter(Scheduler& scheduler, Store& store) : scheduler_(scheduler), store_(store) {}
  ~LateCommitter() override { *alive_ = false; }
  void submit(Append append, Done done) override {
    auto results = store_.commit(std::span(&append, 1));
    REQUIRE(results);
    hear([done = std::move(done), result = results->front()] { done(result); });
  }
  void run(std::function<void(Store&)> job, std::function<void()> done) override {
    job(store_);
    if (done) hear(std::move(done));
  }
  Millis late{0};

 private:
  void hear(std::function<void()> what) {
    scheduler_.after(late, [alive = alive_, what = std::move(what)] {
      if (*alive) what();
    });
  }
  Scheduler& scheduler_;
  Store& store_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class NoTasks final : public TaskRunner {
 public:
  bool serves(const std::string&) const override { return false; }
  void start(TaskRequest, Report) override {}
  void cancel(const TaskKey&) override {}
};

// One home, and the engines that live in it one after the other.
struct Home {
  Scheduler scheduler{1, Ties::InOrder};
  std::unique_ptr<Store> store = make_memory_store();
  NoTasks tasks;
  std::unique_ptr<SimulatedLoop> loop;
  std::unique_ptr<LateCommitter> committer;
  std::unique_ptr<Engine> engine;

  Home() { boot(); }
  void boot() {
    loop = std::make_unique<SimulatedLoop>(scheduler);
    committer = std::make_unique<LateCommitter>(scheduler, *store);
    EngineSettings settings;
    settings.park_after = Millis(0);
    engine = std::make_unique<Engine>(*loop, *committer, tasks, settings, *store->last_execution());
    bool recovered = false;
    engine->recover([&](const Result<RecoverySummary>& summary) { recovered = summary.has_value(); });
    pass(Millis(0));
    REQUIRE(recovered);
  }
  void kill() {
    engine.reset();
    committer.reset();
    loop.reset();
  }
  void pass(Millis time) {
    const Instant end = scheduler.clock().now() + time;
    while (scheduler.step(end)) {
    }
    scheduler.at(end, [] {});
    while (scheduler.step(end)) {
    }
  }
  void machine(const std::string& name, const std::string& definition) {
    bool made = false;
    engine->create_machine(name, definition, [&](const Result<MachineRow>& row) { made = row.has_value(); });
    pass(Millis(0));
    REQUIRE(made);
  }
  ExecutionId start(const std::string& machine_name) {
    std::optional<ExecutionId> id;
    StartRequest request;
    request.machine = machine_name;
    engine->start_execution(std::move(request), [&](const Result<Started>& started) {
      if (started) id = started->id;
    });
    pass(Millis(1));
    REQUIRE(id.has_value());
    return *id;
  }
  ExecutionStatus status(ExecutionId id) { return store->execution(id)->status; }
};

constexpr const char* kWaits10 = R"({"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":10,"End":true}}})";
constexpr const char* kWaitsLong =
    R"({"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100000,"End":true}}})";
// Its Parallel fails after ten seconds, and with it the wait for the child.
constexpr const char* kGoesOn = R"({"StartAt":"P","States":{
  "P":{"Type":"Parallel","Next":"W","Catch":[{"ErrorEquals":["Late"],"Next":"W"}],"Branches":[
    {"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync",
      "Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:child"},"End":true}}},
    {"StartAt":"T","States":{"T":{"Type":"Wait","Seconds":10,"Next":"F"},"F":{"Type":"Fail","Error":"Late"}}}]},
  "W":{"Type":"Wait","Seconds":1000,"End":true}}})";

}  // namespace

TEST_CASE("Engine: an end between the look at the store and its answer is told, once") {
  Home home;
  home.machine("m", kWaits10);
  const ExecutionId id = home.start("m");
  home.pass(Millis(9'900));
  REQUIRE(home.engine->live() == 0);  // it waits outside memory
  int told = 0;
  std::optional<Result<Ended>> heard;
  home.committer->late = Millis(1'000);
  home.engine->when_ended(id, [&](Result<Ended> ended) {
    ++told;
    heard = std::move(ended);
  });
  home.committer->late = Millis(0);
  home.pass(Millis(500));
  CHECK(home.status(id) == ExecutionStatus::Succeeded);
  CHECK(told == 1);
  home.pass(Millis(5'000));
  REQUIRE(told == 1);
  REQUIRE(*heard);
  CHECK((*heard)->status == ExecutionStatus::Succeeded);
  // One that has ended is told from the store, and one that is none is an error.
  home.engine->when_ended(id, [&](const Result<Ended>& ended) { told += ended ? 10 : 0; });
  home.engine->when_ended(ExecutionId{77}, [&](const Result<Ended>& ended) { told += ended ? 0 : 100; });
  home.pass(Millis(10));
  CHECK(told == 111);
}

TEST_CASE("Engine: a child whose parent went on without it is stopped in the next life") {
  for (const bool stopped : {false, true}) {
    CAPTURE(stopped);
    Home home;
    home.machine("child", kWaitsLong);
    home.machine("m", kGoesOn);
    const ExecutionId parent = home.start("m");
    home.pass(Millis(9'000));
    const ExecutionId child{parent.value + 1};
    REQUIRE(home.status(child) == ExecutionStatus::Running);
    home.committer->late = Millis(1'000);  // durable, and not heard of before the end
    if (stopped) home.engine->stop_execution(parent, Failure{"Enough", ""}, [](const Status&) {});
    home.pass(stopped ? Millis(500) : Millis(1'500));
    const auto events = home.store->events(parent, 0, 1000);
    REQUIRE(events);
    REQUIRE(events->back().type ==
            (stopped ? states::EventType::ExecutionAborted : states::EventType::WaitScheduled));
    home.kill();
    REQUIRE(home.status(child) == ExecutionStatus::Running);
    home.boot();
    home.pass(Millis(1'000));
    CHECK(home.status(child) == ExecutionStatus::Aborted);
    CHECK(home.status(parent) == (stopped ? ExecutionStatus::Aborted : ExecutionStatus::Running));
  }
}

TEST_CASE("Engine: a child that is waited for goes on in the next life") {
  Home home;
  home.machine("child", kWaits10);
  home.machine(
      "m",
      R"({"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync",
      "Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:child"},"End":true}}})");
  const ExecutionId parent = home.start("m");
  home.pass(Millis(5'000));
  home.kill();
  home.boot();
  home.pass(Millis(4'000));
  CHECK(home.status(ExecutionId{parent.value + 1}) == ExecutionStatus::Running);
  home.pass(Millis(2'000));
  CHECK(home.status(ExecutionId{parent.value + 1}) == ExecutionStatus::Succeeded);
  CHECK(home.status(parent) == ExecutionStatus::Succeeded);
}
