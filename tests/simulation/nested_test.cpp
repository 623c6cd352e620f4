// Executions that tasks start, and redrives, under virtual time.

#include <doctest/doctest.h>

#include "base/json.h"
#include "orchestrator/queries.h"
#include "simulation/world.h"

using namespace millrace;
using namespace millrace::simulation;
using namespace millrace::orchestrator;
using states::ExecutionStatus;

namespace {

// Functions that fail until they are told not to.
class Functions final : public TaskRunner {
 public:
  bool fail_next = false;
  int calls = 0, cancelled = 0;
  bool hangs = false;
  bool serves(const std::string& resource) const override {
    return resource.find("lambda") != std::string::npos;
  }
  void start(TaskRequest request, Report report) override {
    ++calls;
    if (hangs) return;
    if (fail_next) return report(request.key, Outcome(tl::unexpected<Failure>(Failure{"Boom", "down"})));
    report(request.key, Outcome(request.arguments));
  }
  void cancel(const TaskKey&) override { ++cancelled; }
};

constexpr const char* kArn = "arn:aws:states:us-east-1:123456789012:stateMachine:";

struct NestedCase {
  Scheduler scheduler{1};
  Functions functions;
  World world{scheduler, functions, EngineSettings{}};

  void machine(const std::string& name, const std::string& definition) {
    const Status made = world.create_machine(name, definition);
    REQUIRE_MESSAGE(made, made.error().message);
  }
  // A machine "parent" whose one state is a Task with these members.
  ExecutionId run_parent(const std::string& resource, const std::string& parameters) {
    machine("parent", R"({"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::)" +
                          resource + R"(","Parameters":)" + parameters + R"(,"End":true}}})");
    const auto id = world.start("parent", "p", Payload::literal(R"({"in":1})"));
    REQUIRE_MESSAGE(id, id.error().message);
    pass(Millis(5000));
    return *id;
  }
  void pass(Millis time) {
    world.run(world.now() + time, [] { return false; });
  }
  const states::Execution& execution(ExecutionId id) { return world.trace(id)->execution(); }
  Json output(ExecutionId id) {
    REQUIRE(execution(id).output);
    return Json::parse(execution(id).output->text());
  }
  template <class T, class Ask>
  Result<T> ask(const Ask& call) {
    std::optional<Result<T>> answer;
    call([&](Result<T> result) { answer = std::move(result); });
    pass(Millis(10));
    REQUIRE(answer.has_value());
    return *answer;
  }
  Result<ExecutionView> view(const std::string& machine, const std::string& name) {
    return ask<ExecutionView>([&](auto reply) {
      world.engine().queries().describe(
          "arn:aws:states:us-east-1:123456789012:execution:" + machine + ":" + name, reply);
    });
  }
  std::string types(ExecutionId id) {
    std::string text;
    for (const states::Event& event : world.trace(id)->events()) {
      if (visible(event.type)) text.append(name_of(event.type)).append(" ");
    }
    return text;
  }
};

constexpr const char* kEcho = R"({"StartAt":"E","States":{"E":{"Type":"Pass","Next":"L"},
  "L":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f","Payload.$":"$"},
       "ResultSelector":{"got.$":"$.Payload"},"End":true}}})";
std::string target(const char* more) {
  return std::string(R"({"StateMachineArn":")") + kArn + R"(child")" + more + "}";
}

}  // namespace

TEST_CASE("Nested: startExecution answers when the child has begun") {
  NestedCase c;
  c.machine("child", kEcho);
  const ExecutionId id =
      c.run_parent("states:startExecution", target(R"(,"Name":"kid","Input":{"a.$":"$.in"})"));
  REQUIRE(c.execution(id).status == ExecutionStatus::Succeeded);
  const Json output = c.output(id);
  CHECK(output["ExecutionArn"] == "arn:aws:states:us-east-1:123456789012:execution:child:kid");
  CHECK(output["StartDate"].is_number_integer());
  CHECK(output["SdkHttpMetadata"]["HttpStatusCode"] == 200);
  const auto child = c.view("child", "kid");
  REQUIRE(child);
  CHECK(child->input.text() == R"({"a":1})");
  CHECK(child->output->text() == R"({"got":{"a":1}})");
}

TEST_CASE("Nested: .sync answers with the child's description, .sync:2 with documents") {
  NestedCase c;
  c.machine("child", kEcho);
  const ExecutionId id = c.run_parent("states:startExecution.sync:2", target(R"(,"Input":"{\"t\":1}")"));
  CHECK(c.types(id) ==
        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskSucceeded "
        "TaskStateExited ExecutionSucceeded ");
  const Json documents = c.output(id);
  CHECK(documents["Status"] == "SUCCEEDED");
  CHECK(documents["Input"] == Json{{"t", 1}});
  CHECK(documents["Output"] == Json{{"got", {{"t", 1}}}});
  CHECK(documents["OutputDetails"] == Json{{"Included", true}});
  NestedCase texts;
  texts.machine("child", kEcho);
  const Json text = texts.output(texts.run_parent("states:startExecution.sync", target("")));
  CHECK(text["Input"] == "{}");
  CHECK(text["Output"] == R"({"got":{}})");
  CHECK(text["Name"].get<std::string>().size() == 36);
}

TEST_CASE("Nested: a child that fails fails the .sync task with its description") {
  NestedCase c;
  c.machine("child", R"({"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E","Cause":"c"}}})");
  const ExecutionId id = c.run_parent("states:startExecution.sync:2", target(R"(,"Name":"kid")"));
  REQUIRE(c.execution(id).status == ExecutionStatus::Failed);
  CHECK(c.execution(id).failure->error == "States.TaskFailed");
  const Json cause = Json::parse(c.execution(id).failure->cause);
  CHECK(cause["Error"] == "E");
  CHECK(cause["Cause"] == "c");
  CHECK(cause["Input"] == "{}");
  CHECK(cause["Status"] == "FAILED");
  CHECK(!cause.contains("Output"));
}

TEST_CASE("Nested: what can't be started is the API's error in the integration's words") {
  NestedCase c;
  const ExecutionId id = c.run_parent("states:startExecution", target(""));
  REQUIRE(c.execution(id).failure);
  CHECK(c.execution(id).failure->error == "StepFunctions.StateMachineDoesNotExistException");
  const std::string cause = c.execution(id).failure->cause;
  CHECK(
      cause.find(std::string("State Machine Does Not Exist: '") + kArn +
                 "child' (Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist; "
                 "Request ID: ") == 0);
  CHECK(cause.ends_with("; Proxy: null)"));
  NestedCase sdk;
  const ExecutionId other = sdk.run_parent("aws-sdk:sfn:startExecution", target(""));
  CHECK(sdk.execution(other).failure->error == "Sfn.StateMachineDoesNotExistException");
  CHECK(sdk.execution(other).failure->cause.ends_with(") (SDK Attempt Count: 1)"));
  NestedCase wrong;
  wrong.machine("child", kEcho);
  const ExecutionId third = wrong.run_parent("states:startExecution", target(R"(,"Input":"no JSON")"));
  CHECK(wrong.execution(third).failure->error == "StepFunctions.InvalidExecutionInputException");
  NestedCase name;
  name.machine("child", kEcho);
  const ExecutionId fourth = name.run_parent("states:startExecution", target(R"(,"Name":"a b")"));
  CHECK(name.execution(fourth).failure->error == "StepFunctions.InvalidNameException");
}

TEST_CASE("Nested: a name that is taken by somebody else's execution") {
  NestedCase c;
  c.machine("child", kEcho);
  REQUIRE(c.world.start("child", "kid", Payload::literal("{}")));
  c.pass(Millis(1000));
  const ExecutionId id = c.run_parent("states:startExecution.sync", target(R"(,"Name":"kid")"));
  CHECK(c.execution(id).failure->error == "StepFunctions.ExecutionAlreadyExistsException");
}

TEST_CASE("Nested: who stops the parent stops the child it waits for") {
  NestedCase c;
  c.functions.hangs = true;
  c.machine("child", kEcho);
  const ExecutionId id = c.run_parent("states:startExecution.sync", target(R"(,"Name":"kid")"));
  REQUIRE(c.execution(id).status == ExecutionStatus::Running);
  CHECK(c.ask<void>([&](auto reply) {
    c.world.engine().stop_execution(id, Failure{"Enough", "now"}, reply);
  }));
  c.pass(Millis(1000));
  const auto child = c.view("child", "kid");
  REQUIRE(child);
  CHECK(child->row.status == ExecutionStatus::Aborted);
  CHECK(c.functions.cancelled == 1);
}

TEST_CASE("Nested: describeExecution, listExecutions, stopExecution and redriveExecution of the SDK") {
  NestedCase c;
  c.functions.fail_next = true;
  c.machine("child", kEcho);
  REQUIRE(c.world.start("child", "kid", Payload::literal("{}")));
  c.pass(Millis(1000));
  c.machine("tools", R"({"StartAt":"D","States":{
    "D":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:describeExecution","Parameters":{"ExecutionArn.$":"$.arn"},"ResultPath":"$.d","Next":"S"},
    "S":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:stopExecution","Parameters":{"ExecutionArn.$":"$.arn"},"ResultPath":"$.s","Next":"L"},
    "L":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:listExecutions","Parameters":{"StateMachineArn.$":"$.machine","StatusFilter":"FAILED"},"ResultPath":"$.l","Next":"R"},
    "R":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:redriveExecution","Parameters":{"ExecutionArn.$":"$.arn"},"ResultPath":"$.r","Next":"W"},
    "W":{"Type":"Wait","Seconds":1,"Next":"R2"},
    "R2":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:redriveExecution","Parameters":{"ExecutionArn.$":"$.arn"},"End":true}}})");
  c.functions.fail_next = false;
  const auto id = c.world.start(
      "tools", "t",
      Payload::literal(R"({"arn":"arn:aws:states:us-east-1:123456789012:execution:child:kid","machine":")" +
                       std::string(kArn) + R"(child"})"));
  REQUIRE(id);
  c.pass(Millis(10'000));
  REQUIRE(c.execution(*id).failure);
  CHECK(c.execution(*id).failure->error == "Sfn.ExecutionNotRedrivableException");
  CHECK(c.execution(*id).failure->cause.starts_with("Execution is SUCCEEDED and cannot be redriven"));
  const states::Frame& end = c.execution(*id).fallen.begin()->second;
  const Json data = Json::parse(end.data.text());
  CHECK(data["d"]["Status"] == "FAILED");
  CHECK(data["d"]["RedriveStatus"] == "REDRIVABLE");
  CHECK(data["d"]["Error"] == "Boom");
  CHECK(data["s"]["StopDate"] == data["d"]["StopDate"]);
  REQUIRE(data["l"]["Executions"].size() == 1);
  CHECK(data["l"]["Executions"][0]["Name"] == "kid");
  CHECK(data["r"].contains("RedriveDate"));
  const auto child = c.view("child", "kid");
  REQUIRE(child);
  CHECK(child->row.status == ExecutionStatus::Succeeded);
  CHECK(child->row.redrives == 1);
  CHECK(child->row.redriven.has_value());
}

TEST_CASE("Redrive: the engine's answer, and a nested task that gets a new child") {
  NestedCase c;
  c.functions.fail_next = true;
  c.machine("child", kEcho);
  const ExecutionId id = c.run_parent("states:startExecution.sync", target(""));
  REQUIRE(c.execution(id).status == ExecutionStatus::Failed);
  const auto redrive = [&] {
    return c.ask<Instant>([&](auto reply) {
      c.world.engine().redrive_execution("arn:aws:states:us-east-1:123456789012:execution:parent:p", {},
                                         reply);
    });
  };
  c.functions.fail_next = false;
  REQUIRE(redrive());
  c.pass(Millis(5000));
  CHECK(c.execution(id).status == ExecutionStatus::Succeeded);
  CHECK(c.functions.calls == 2);
  const auto again = redrive();
  REQUIRE(!again);
  CHECK(again.error().message == "Execution is SUCCEEDED and cannot be redriven");
  const auto unknown = c.ask<Instant>([&](auto reply) {
    c.world.engine().redrive_execution("arn:aws:states:us-east-1:123456789012:execution:parent:nobody", {},
                                       reply);
  });
  REQUIRE(!unknown);
  CHECK(unknown.error().code == ErrorCode::NotFound);
}

TEST_CASE("Nested: tokens are answered by tasks too; one that is none is told first") {
  NestedCase c;
  for (const char* action : {"sendTaskSuccess", "sendTaskFailure", "sendTaskHeartbeat"}) {
    NestedCase wrong;
    const ExecutionId id = wrong.run_parent(std::string("aws-sdk:sfn:") + action,
                                            R"({"TaskToken":"NoSuchTaskToken","Output":"no JSON"})");
    REQUIRE(wrong.execution(id).failure);
    CHECK(wrong.execution(id).failure->error == "Sfn.InvalidTokenException");
    CHECK(wrong.execution(id).failure->cause.starts_with(
        "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: "));
  }
  // The child has the parent's token in its input, and answers with it.
  c.machine(
      "child",
      R"({"StartAt":"S","States":{"S":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:sendTaskSuccess",
    "Parameters":{"TaskToken.$":"$.token","Output":{"done":true}},"End":true}}})");
  const ExecutionId id = c.run_parent("states:startExecution.waitForTaskToken",
                                      target(R"(,"Input":{"token.$":"$$.Task.Token"})"));
  REQUIRE(c.execution(id).status == ExecutionStatus::Succeeded);
  CHECK(c.output(id) == Json{{"done", true}});
  CHECK(c.types(id) ==
        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskSucceeded "
        "TaskStateExited ExecutionSucceeded ");
}
