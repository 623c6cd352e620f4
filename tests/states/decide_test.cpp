// What a case file can't say: comparisons between two runs, histories too long to write down, what is drawn.

#include "states/decide.h"

#include <doctest/doctest.h>

#include <set>

#include "base/json.h"
#include "base/random.h"
#include "definitions/compile.h"
#include "states/retry.h"
#include "tests/states/harness.h"

using namespace millrace;
using namespace millrace::states;

namespace {

definitions::Compiled compiled(std::string_view text) {
  definitions::Compiled c = definitions::compile(text);
  REQUIRE_MESSAGE(c.program, render(c.diagnostics.at(0), "case", ""));
  return c;
}

constexpr std::string_view kLoop = R"({"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},
  "B":{"Type":"Choice","Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"C"}],"Default":"A"},
  "C":{"Type":"Succeed"}}})";
// Forks in forks, failures that are caught, a retry without a wait between, a Choice, a Wait that is over.
constexpr std::string_view kBusy = R"({"StartAt":"Fork","States":{
  "Fork":{"Type":"Parallel","Next":"After","Branches":[
    {"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A2"},"A2":{"Type":"Pass","Result":1,"End":true}}},
    {"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"End":true,
      "ItemProcessor":{"StartAt":"C","States":{
        "C":{"Type":"Choice","Choices":[{"Variable":"$","NumericGreaterThan":2,"Next":"Big"}],"Default":"Small"},
        "Big":{"Type":"Parallel","End":true,"Branches":[
          {"StartAt":"X","States":{"X":{"Type":"Pass","End":true}}},
          {"StartAt":"Y","States":{"Y":{"Type":"Wait","Seconds":0,"End":true}}}]},
        "Small":{"Type":"Pass","Result":{"id":"small"},"End":true}}}}}},
    {"StartAt":"F","States":{"F":{"Type":"Parallel","End":true,
      "Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.failure","Next":"G"}],
      "Branches":[{"StartAt":"No","States":{"No":{"Type":"Fail","Error":"E","Cause":"c"}}},
                  {"StartAt":"Z","States":{"Z":{"Type":"Pass","End":true}}}]},
      "G":{"Type":"Pass","End":true}}}]},
  "After":{"Type":"Succeed"}}})";

tests::Harness run(const definitions::Program& program, const Payload& input, std::size_t decision_events_max,
                   int* decisions = nullptr) {
  tests::Harness harness;
  harness.program = &program;
  harness.limits.decision_events_max = decision_events_max;
  std::vector<Effect> effects = harness.start(input);
  const int more = harness.run_on(effects);
  if (decisions) *decisions = 1 + more;
  CHECK(harness.problem == "");
  return harness;
}

}  // namespace

TEST_CASE("Decide: a decision that rests and goes on makes the same history as one that does not") {
  const auto c = compiled(kBusy);
  const Payload input = Payload::literal(R"({"items":[1,2,3,4,5,0]})");
  int decisions = 0;
  const tests::Harness whole = run(*c.program, input, 5000, &decisions);
  CHECK(decisions == 1);
  REQUIRE(whole.execution.status == ExecutionStatus::Succeeded);
  for (const std::size_t most : {1, 2, 3, 5, 8, 13, 21}) {
    const tests::Harness parts = run(*c.program, input, most, &decisions);
    CHECK(decisions > 1);
    CHECK(parts.execution == whole.execution);
    CHECK(parts.events == whole.events);
  }
}

TEST_CASE("Decide: a resting execution is due at once, and what it was asked meanwhile still counts") {
  const auto c = compiled(kLoop);
  tests::Harness harness;
  harness.program = c.program.get();
  harness.limits.decision_events_max = 100;
  harness.start(Payload::empty_object());
  CHECK(harness.events.size() >= 100);
  CHECK(harness.events.size() < 110);
  REQUIRE(next_due(harness.execution, *c.program));
  CHECK(*next_due(harness.execution, *c.program) <= harness.now);
  harness.apply(stimulus::StopRequested{Failure{"Stop", "enough"}});
  CHECK(harness.execution.status == ExecutionStatus::Aborted);
  CHECK(harness.problem == "");
}

TEST_CASE("Decide: a loop that never waits ends at the history's limit, with exactly as many events") {
  const auto c = compiled(kLoop);
  for (const std::uint64_t limit : {2, 10, 11, 24'999, 25'000}) {
    tests::Harness harness;
    harness.program = c.program.get();
    harness.limits.history_events_max = limit;
    std::vector<Effect> effects = harness.start(Payload::empty_object());
    harness.run_on(effects);
    CHECK(harness.problem == "");
    CHECK(harness.execution.status == ExecutionStatus::Failed);
    CHECK(harness.execution.visible_events == limit);
    CHECK(harness.execution.events == harness.events.size());
    CHECK(harness.events.back().type == EventType::ExecutionFailed);
    CHECK(harness.execution.failure->cause ==
          "The execution reached the maximum number of history events (" + std::to_string(limit) + ").");
  }
}

TEST_CASE("Decide: wherever the history's limit falls, it holds, and nothing out is forgotten") {
  const auto busy = compiled(kBusy);
  const auto tasks = compiled(R"({"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
    {"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"End":true}}},
    {"StartAt":"U","States":{"U":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"End":true}}}]}}})");
  const Payload input = Payload::literal(R"({"items":[1,2,3,4,5,0]})");
  const std::uint64_t needed = run(*busy.program, input, 5000).execution.visible_events;
  for (std::uint64_t limit = 2; limit <= needed + 1; ++limit) {
    tests::Harness harness;
    harness.program = busy.program.get();
    harness.limits.history_events_max = limit;
    harness.start(input);
    CHECK(harness.problem == "");
    CHECK((harness.execution.status == ExecutionStatus::Succeeded) == (limit >= needed));
    CHECK(harness.execution.visible_events == std::min(limit, needed));
  }
  for (std::uint64_t limit = 2; limit <= 10; ++limit) {
    tests::Harness harness;
    harness.program = tasks.program.get();
    harness.limits.history_events_max = limit;
    std::vector<TaskAttempt> out;
    for (const Effect& effect : harness.start(input)) {
      if (const auto* start = std::get_if<effect::StartTask>(&effect)) out.push_back(start->task);
      if (const auto* cancel = std::get_if<effect::CancelTask>(&effect)) std::erase(out, cancel->task);
    }
    CHECK(harness.problem == "");
    CHECK(harness.execution.ended() == (limit < 10));
    CHECK(out.size() == (harness.execution.ended() ? 0 : 2));
  }
}

TEST_CASE("Decide: every States.UUID of an execution is another one, and the same seed draws the same") {
  const auto c = compiled(R"j({"StartAt":"M","States":{
    "M":{"Type":"Map","ItemsPath":"$.items","ItemSelector":{"id.$":"States.UUID()"},"ResultPath":"$.ids","Next":"P",
      "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Parameters":{"in.$":"$.id","own.$":"States.UUID()"},"End":true}}}},
    "P":{"Type":"Pass","Parameters":{"a.$":"States.UUID()","b.$":"States.UUID()","both.$":"States.Array(States.UUID(),States.UUID())","ids.$":"$.ids"},"ResultPath":"$.last","Next":"Q"},
    "Q":{"Type":"Pass","Parameters":{"a.$":"States.UUID()"},"ResultPath":"$.more","End":true}}})j");
  const Payload input = Payload::literal(R"({"items":[1,2,3]})");
  const tests::Harness one = run(*c.program, input, 5000);
  REQUIRE(one.execution.status == ExecutionStatus::Succeeded);
  const JsonView output = one.execution.output->view();
  std::multiset<std::string> ids;
  for (const JsonView item : output.find("ids").elements()) {
    ids.insert(item.find("in").string());
    ids.insert(item.find("own").string());
  }
  ids.insert(output.find("last").find("a").string());
  ids.insert(output.find("last").find("b").string());
  for (const JsonView item : output.find("last").find("both").elements()) ids.insert(item.string());
  ids.insert(output.find("more").find("a").string());
  CHECK(ids.size() == 11);
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == 11);
  CHECK(run(*c.program, input, 5000).events == one.events);
  CHECK(run(*c.program, input, 4).execution.status == ExecutionStatus::Succeeded);
}

TEST_CASE(
    "Retry: jitter is between nothing and the delay, and siblings that fail together draw differently") {
  definitions::Retrier retrier;
  retrier.interval_seconds = 10;
  retrier.jitter = definitions::JitterStrategy::Full;
  const Limits limits;
  std::set<std::int64_t> drawn;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Millis delay = retry_delay(retrier, 1, {from_millis(0), seed, &limits});
    CHECK(delay >= Millis(0));
    CHECK(delay <= Millis(20'000));
    drawn.insert(delay.count());
  }
  CHECK(drawn.size() > 190);
  CHECK(*drawn.begin() < 2'000);
  CHECK(*drawn.rbegin() > 18'000);

  const auto c = compiled(R"({"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","End":true,
    "ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Parallel","End":true,
      "Retry":[{"ErrorEquals":["E"],"IntervalSeconds":100,"JitterStrategy":"FULL"}],
      "Branches":[{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}}]}}}}}})");
  const tests::Harness harness = run(*c.program, Payload::literal(R"({"items":[1,2,3,4,5]})"), 5000);
  std::set<Instant> due;
  for (const Event& event : harness.events) {
    if (const auto* retry = std::get_if<detail::RetryScheduled>(&event.details)) due.insert(retry->due);
  }
  CHECK(due.size() == 5);
}

TEST_CASE("Retry: the delay grows by the rate and stays below its greatest") {
  definitions::Retrier retrier;
  retrier.interval_seconds = 3;
  retrier.backoff_rate = 2;
  const Limits limits;
  const Environment env{from_millis(0), 1, &limits};
  CHECK(retry_delay(retrier, 0, env) == Millis(3000));
  CHECK(retry_delay(retrier, 1, env) == Millis(6000));
  CHECK(retry_delay(retrier, 4, env) == Millis(48'000));
  CHECK(retry_delay(retrier, 100'000, env) == Millis(99'999'999'000));
  retrier.max_delay_seconds = 10;
  CHECK(retry_delay(retrier, 4, env) == Millis(10'000));
}

TEST_CASE("Retry: which names cover which errors") {
  struct Row {
    const char* name;
    const char* error;
    bool covered;
  };
  for (const Row& row :
       {Row{"States.ALL", "Custom", true}, Row{"States.ALL", "States.Timeout", true},
        Row{"States.ALL", "States.Runtime", false}, Row{"States.Runtime", "States.Runtime", true},
        Row{"States.ALL", "States.DataLimitExceeded", true}, Row{"States.ALL", "", true},
        Row{"States.TaskFailed", "Custom", true}, Row{"States.TaskFailed", "States.Timeout", false},
        Row{"States.TaskFailed", "States.Runtime", false},
        Row{"States.Timeout", "States.HeartbeatTimeout", true},
        Row{"States.HeartbeatTimeout", "States.Timeout", false}, Row{"Custom", "custom", false},
        Row{"Custom", "Customs", false}}) {
    CAPTURE(row.name);
    CAPTURE(row.error);
    CHECK(covers({row.name}, row.error) == row.covered);
  }
}

TEST_CASE("Evolve: events about frames that are not there change nothing but the counts") {
  const auto c = compiled(kLoop);
  Execution execution;
  Event event;
  event.type = EventType::TaskSucceeded;
  event.number = 1;
  event.frame = FrameId{7};
  for (const EventDetails& details :
       {EventDetails(detail::TaskOutput{}), EventDetails(detail::StateEntered{}),
        EventDetails(detail::RetryScheduled{}), EventDetails(detail::BranchSucceeded{}),
        EventDetails(detail::IterationStarted{}), EventDetails(detail::IterationEnded{}),
        EventDetails(detail::MapStarted{}), EventDetails(detail::ParallelStarted{})}) {
    event.details = details;
    const Execution before = execution;
    evolve(execution, *c.program, event);
    CHECK(execution.frames.empty());
    CHECK(execution.status == before.status);
    CHECK(execution.events == before.events + 1);
  }
}
