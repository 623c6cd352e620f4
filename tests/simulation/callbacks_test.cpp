// Tasks that are answered from outside: activities and .waitForTaskToken, under virtual time.

#include <doctest/doctest.h>

#include "orchestrator/dispatch/tokens.h"
#include "simulation/world.h"

using namespace millrace;
using namespace millrace::simulation;
using namespace millrace::orchestrator;

namespace {

// Sends messages: succeeds at once, and keeps what it was asked to send.
class Mailer final : public TaskRunner {
 public:
  std::vector<TaskRequest> sent;
  bool serves(const std::string&) const override { return true; }
  void start(TaskRequest request, Report report) override {
    sent.push_back(request);
    report(request.key, Outcome(Payload::literal(R"({"MessageId":"m-1"})")));
  }
  void cancel(const TaskKey&) override {}
};

struct CallbackCase {
  Scheduler scheduler{1};
  Mailer mailer;
  World world{scheduler, mailer, EngineSettings{}};

  ExecutionId start(const std::string& definition, const char* input = "{}") {
    REQUIRE(world.create_machine("m", definition));
    const auto id = world.start("m", "", Payload::literal(input));
    REQUIRE_MESSAGE(id, id.error().message);
    return *id;
  }
  void pass(Millis time) {
    const Instant end = world.now() + time;
    scheduler.at(end, [] {});  // so that the clock gets there
    world.run(end, [] { return false; });
  }
  const states::Execution& execution(ExecutionId id) { return world.trace(id)->execution(); }
  std::vector<std::string> history(ExecutionId id) {
    std::vector<std::string> types;
    for (const states::Event& event : world.trace(id)->events()) {
      if (visible(event.type)) types.emplace_back(name_of(event.type));
    }
    return types;
  }
  template <class Ask>
  Status ask(const Ask& engine_call) {
    std::optional<Status> answer;
    engine_call(world.engine(), [&](Status status) { answer = std::move(status); });
    pass(Millis(0));
    REQUIRE(answer.has_value());
    return *answer;
  }
};

constexpr const char* kCallback = R"({"StartAt":"Ask","States":{"Ask":{"Type":"Task",
  "Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","HeartbeatSeconds":30,"TimeoutSeconds":600,
  "Parameters":{"MessageBody":{"token.$":"$$.Task.Token"}},"End":true}}})";
constexpr const char* kActivity = "arn:aws:states:us-east-1:123456789012:activity:review";
constexpr const char* kReview = R"({"StartAt":"R","States":{"R":{"Type":"Task","HeartbeatSeconds":20,
  "Resource":"arn:aws:states:us-east-1:123456789012:activity:review","End":true}}})";

std::string token_of(const Mailer& mailer) {
  return mailer.sent.back().arguments.view().find("MessageBody").find("token").string();
}

}  // namespace

TEST_CASE("Callback: what is sent carries the token, the token's answer ends the task") {
  CallbackCase c;
  const ExecutionId id = c.start(kCallback);
  c.pass(Millis(1000));
  REQUIRE(c.mailer.sent.size() == 1);
  CHECK(c.execution(id).status == states::ExecutionStatus::Running);
  const std::string token = token_of(c.mailer);
  CHECK(token.size() == 80);
  CHECK(c.ask([&](Engine& engine, auto reply) {
    engine.send_task_success(token, Payload::literal(R"({"ok":true})"), reply);
  }));
  CHECK(c.execution(id).status == states::ExecutionStatus::Succeeded);
  CHECK(c.execution(id).output->text() == R"({"ok":true})");
  CHECK(c.history(id) == std::vector<std::string>{"ExecutionStarted", "TaskStateEntered", "TaskScheduled",
                                                  "TaskStarted", "TaskSubmitted", "TaskSucceeded",
                                                  "TaskStateExited", "ExecutionSucceeded"});
  // Once only.
  const Status again = c.ask(
      [&](Engine& engine, auto reply) { engine.send_task_success(token, Payload::literal("1"), reply); });
  REQUIRE(!again);
  CHECK(again.error().message == "Task Timed Out: 'Provided task does not exist anymore'");
}

TEST_CASE(
    "Callback: of two answers at once one is taken, and the other is told so, though the first ends the "
    "execution") {
  CallbackCase c;
  const ExecutionId id = c.start(kCallback);
  c.pass(Millis(1000));
  const std::string token = token_of(c.mailer);
  Status first = fail(ErrorCode::Internal, "not told");
  const Status second = c.ask([&](Engine& engine, auto reply) {
    engine.send_task_success(token, Payload::literal("1"), [&](Status done) { first = done; });
    engine.send_task_success(token, Payload::literal("2"), reply);  // while the first is written to disk
  });
  CHECK(first);
  REQUIRE(!second);
  CHECK(second.error().message == "Task Timed Out: 'Provided task does not exist anymore'");
  CHECK(c.execution(id).output->text() == "1");
}

TEST_CASE("Callback: a failure told by token, a heartbeat that keeps the task alive, one that is missed") {
  CallbackCase c;
  const ExecutionId id = c.start(kCallback);
  c.pass(std::chrono::seconds(25));
  const std::string token = token_of(c.mailer);
  CHECK(c.ask([&](Engine& engine, auto reply) { engine.send_task_heartbeat(token, reply); }));
  c.pass(std::chrono::seconds(25));
  CHECK(c.execution(id).status == states::ExecutionStatus::Running);
  CHECK(c.ask([&](Engine& engine, auto reply) {
    engine.send_task_failure(token, Failure{"Rejected", "no budget"}, reply);
  }));
  CHECK(c.execution(id).failure->error == "Rejected");
  CHECK(c.execution(id).failure->cause == "no budget");

  const auto silent = c.world.start("m", "", Payload::empty_object());
  REQUIRE(silent);
  c.pass(std::chrono::seconds(31));
  CHECK(c.execution(*silent).status == states::ExecutionStatus::Failed);
  CHECK(c.execution(*silent).failure->error == "States.HeartbeatTimeout");
  CHECK(!c.ask([&](Engine& engine, auto reply) { engine.send_task_heartbeat(token_of(c.mailer), reply); }));
}

TEST_CASE("Callback: a token that is none of ours is refused") {
  CallbackCase c;
  c.start(kCallback);
  c.pass(Millis(0));
  std::string forged = token_of(c.mailer);
  forged[10] = forged[10] == 'A' ? 'B' : 'A';
  for (const std::string& token : {std::string("NoSuchTaskToken"), std::string(), forged}) {
    const Status refused = c.ask(
        [&](Engine& engine, auto reply) { engine.send_task_success(token, Payload::literal("1"), reply); });
    REQUIRE(!refused);
    CHECK(refused.error().message == "Invalid Token: 'Invalid token'");
  }
  const TaskTokens mine("0123456789abcdef"), other("another secret 16");
  const TaskKey key{ExecutionId{1}, FrameId{2}, 3, 4};
  CHECK(mine.open(mine.mint(key)).value() == key);
  CHECK(!other.open(mine.mint(key)));
}

TEST_CASE("Activity: a worker that waits gets the task; its name is in the history") {
  CallbackCase c;
  using WorkerTask = Engine::WorkerTask;
  std::optional<WorkerTask> taken;
  c.world.engine().get_activity_task(kActivity, "ann", [&](Result<std::optional<WorkerTask>> task) {
    REQUIRE(task);
    taken = *task;
  });
  const ExecutionId id = c.start(kReview, R"({"n":1})");
  c.pass(Millis(100));
  REQUIRE(taken.has_value());
  CHECK(taken->input.text() == R"({"n":1})");
  CHECK(c.ask([&](Engine& engine, auto reply) {
    engine.send_task_success(taken->token, Payload::literal("2"), reply);
  }));
  CHECK(c.execution(id).output->text() == "2");
  CHECK(c.history(id) == std::vector<std::string>{"ExecutionStarted", "TaskStateEntered", "ActivityScheduled",
                                                  "ActivityStarted", "ActivitySucceeded", "TaskStateExited",
                                                  "ExecutionSucceeded"});
}

TEST_CASE("Activity: tasks wait in order; heartbeats count from when a worker has one; a poll ends empty") {
  CallbackCase c;
  using WorkerTask = Engine::WorkerTask;
  const ExecutionId first = c.start(kReview, "1");
  const auto second = c.world.start("m", "", Payload::literal("2"));
  REQUIRE(second);
  c.pass(std::chrono::seconds(100));  // longer than the heartbeat: nobody has them yet
  CHECK(c.execution(first).status == states::ExecutionStatus::Running);
  std::vector<std::string> inputs;
  int empty = 0;
  for (int i = 0; i < 3; ++i) {
    c.world.engine().get_activity_task(kActivity, "", [&](Result<std::optional<WorkerTask>> task) {
      REQUIRE(task);
      if (*task)
        inputs.emplace_back((*task)->input.text());
      else
        ++empty;
    });
  }
  c.pass(std::chrono::seconds(19));
  CHECK(inputs == std::vector<std::string>{"1", "2"});
  CHECK(empty == 0);
  c.pass(std::chrono::seconds(2));
  REQUIRE(c.execution(first).failure);
  CHECK(c.execution(first).failure->error == "States.HeartbeatTimeout");
  c.pass(std::chrono::seconds(60));
  CHECK(empty == 1);
}

TEST_CASE("Activity: a worker that has gone is not handed the next task") {
  CallbackCase c;
  using WorkerTask = Engine::WorkerTask;
  std::function<void()> go;
  int empty = 0;
  const auto first = [&](Result<std::optional<WorkerTask>> task) {
    REQUIRE(task);
    CHECK(!*task);
    ++empty;
  };
  c.world.engine().get_activity_task(kActivity, "ann", first,
                                     [&](std::function<void()> call) { go = std::move(call); });
  std::optional<WorkerTask> taken;
  c.world.engine().get_activity_task(kActivity, "ben", [&](Result<std::optional<WorkerTask>> task) {
    REQUIRE(task);
    taken = *task;
  });
  REQUIRE(go);
  go();
  CHECK(empty == 1);
  c.start(kReview, "1");
  c.pass(Millis(100));
  CHECK(taken.has_value());
  go();  // too late: nothing happens
  CHECK(empty == 1);
}
