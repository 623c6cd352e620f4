// Distributed Map in the core: the run that a state asks for, what its end means, and what becomes of an
// item.

#include <doctest/doctest.h>

#include "definitions/compile.h"
#include "states/decide.h"
#include "states/distributed_map.h"

using namespace millrace;
using namespace millrace::states;

namespace {

struct Core {
  Limits limits;
  definitions::Compiled compiled;
  Execution execution;
  std::vector<Event> events;
  std::vector<Effect> effects;

  explicit Core(const std::string& definition) : compiled(definitions::compile(definition, limits)) {
    for (const auto& d : compiled.diagnostics) INFO(d.message);
    REQUIRE(compiled.program);
  }
  void apply(const Stimulus& stimulus) {
    const Environment environment{from_millis(1'700'000'000'000), 7, &limits};
    Execution folded = execution;
    Decision decision = decide(*compiled.program, execution, stimulus, environment);
    for (const Event& event : decision.events) evolve(folded, *compiled.program, event);
    CHECK(folded == decision.next);
    CHECK(check_consistent(decision.next, *compiled.program) == "");
    execution = std::move(decision.next);
    std::move(decision.events.begin(), decision.events.end(), std::back_inserter(events));
    effects = std::move(decision.effects);
  }
  void start(std::string_view input) {
    ExecutionIdentity who{"arn:aws:states:us-east-1:123456789012:execution:M:e", "e",
                          "arn:aws:states:us-east-1:123456789012:stateMachine:M", "M", "role"};
    apply(stimulus::Started{who, Payload::literal(input)});
  }
  const effect::StartMapRun& run() const {
    REQUIRE(!effects.empty());
    return std::get<effect::StartMapRun>(effects.front());
  }
  std::string history() const {
    std::string out;
    for (const Event& event : events) {
      if (visible(event.type))
        out += std::string(name_of(event.type)) + "(" + std::to_string(event.previous) + ") ";
    }
    return out;
  }
};

std::string with_map(std::string_view fields) {
  return R"({"StartAt":"M","States":{"M":{"Type":"Map","End":true,"Label":"L",)" + std::string(fields) +
         R"("ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
            "StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}})";
}

}  // namespace

TEST_CASE("distributed Map: a run is asked for, once, and its outcome is the state's") {
  Core core(with_map(R"("MaxConcurrency":3,"ToleratedFailureCount":2,)"));
  core.start("[1,2]");
  const effect::StartMapRun run = core.run();
  CHECK(run.arn.starts_with("arn:aws:states:us-east-1:123456789012:mapRun:M/L:"));
  CHECK(run.items.text() == "[1,2]");
  const MapRunPlan plan = MapRunPlan::of(run.plan);
  CHECK(plan.concurrency == 3);
  CHECK(plan.tolerated_count == 2);
  CHECK(plan == MapRunPlan::of(plan.document()));
  REQUIRE(outstanding_map_runs(core.execution).size() == 1);
  CHECK(outstanding_map_runs(core.execution)[0].arn == run.arn);

  core.apply(stimulus::MapRunEnded{{run.task.frame, run.task.visit, 1},
                                   Payload::literal("[0]")});  // another attempt's
  CHECK_FALSE(core.execution.ended());
  core.apply(stimulus::MapRunEnded{run.task, Payload::literal("[1,2]")});
  CHECK(core.execution.output->text() == "[1,2]");
  CHECK(core.history() ==
        "ExecutionStarted(0) MapStateEntered(0) MapStateStarted(2) MapRunStarted(3) MapRunSucceeded(4) "
        "MapStateSucceeded(5) MapStateExited(5) ExecutionSucceeded(7) ");
}

TEST_CASE("distributed Map: with JSONata or variables in the definition, its exit follows MapRunStarted") {
  const std::string text = with_map("");
  const std::string newer[] = {text.substr(0, 1) + R"("QueryLanguage":"JSONata",)" + text.substr(1),
                               text.substr(0, text.find(R"("Type":"Pass")")) + R"("Assign":{"v":1},)" +
                                   text.substr(text.find(R"("Type":"Pass")"))};
  for (const std::string& definition : newer) {
    CAPTURE(definition);
    Core core(definition);
    core.start("[1]");
    core.apply(stimulus::MapRunEnded{core.run().task, Payload::literal("[1]")});
    CHECK(core.history() ==
          "ExecutionStarted(0) MapStateEntered(0) MapStateStarted(2) MapRunStarted(3) MapRunSucceeded(4) "
          "MapStateSucceeded(5) MapStateExited(4) ExecutionSucceeded(7) ");
  }
}

TEST_CASE("distributed Map: a run that failed fails the state, which Retry and Catch may answer") {
  Core core(with_map(""));
  core.start("[1]");
  core.apply(stimulus::MapRunEnded{core.run().task, failed("States.ItemReaderFailed", "no")});
  CHECK(core.history() ==
        "ExecutionStarted(0) MapStateEntered(0) MapStateStarted(2) MapRunStarted(3) MapRunFailed(4) "
        "MapStateFailed(5) ExecutionFailed(6) ");
  CHECK(core.execution.failure->error == "States.ItemReaderFailed");

  Core again(with_map(R"("Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1}],)"));
  again.start("[1]");
  const effect::StartMapRun first = again.run();
  again.apply(stimulus::MapRunEnded{first.task, failed("E", "no")});
  CHECK(next_due(again.execution, *again.compiled.program));
  CHECK(outstanding_map_runs(again.execution).empty());
}

TEST_CASE("distributed Map: fields that come out wrong fail the state before there is a run") {
  struct Case {
    const char *fields, *input, *cause;
  };
  for (const Case& c :
       {Case{R"("ItemsPath":"$.i","ToleratedFailureCountPath":"$.n",)", R"({"i":[1],"n":-1})",
             "ToleratedFailureCount cannot be negative."},
        Case{R"("ItemsPath":"$.i","ToleratedFailurePercentagePath":"$.n",)", R"({"i":[1],"n":"x"})",
             "The ToleratedFailurePercentagePath field refers to value \"x\" which is not a valid "
             "float: $.n"},
        Case{R"("ItemsPath":"$.i","ItemBatcher":{"MaxItemsPerBatchPath":"$.n"},)", R"({"i":[1],"n":1.5})",
             "The MaxItemsPerBatchPath field refers to value \"1.5\" which is not a valid integer: "
             "$.n"}}) {
    Core core(with_map(c.fields));
    core.start(c.input);
    REQUIRE(core.execution.failure);
    CHECK(core.execution.failure->error == "States.Runtime");
    CHECK(core.execution.failure->cause.ends_with(c.cause));
    CHECK(core.history() == "ExecutionStarted(0) MapStateEntered(0) MapStateStarted(2) ExecutionFailed(3) ");
  }
  Core texts(with_map(R"("ItemsPath":"$.i","ToleratedFailureCountPath":"$.n",)"));
  texts.start(R"({"i":[1],"n":"4"})");
  CHECK(MapRunPlan::of(texts.run().plan).tolerated_count == 4);
  Core scalar(with_map(""));
  scalar.start("3");
  CHECK(scalar.execution.failure->cause.ends_with("Map state input must be an array but was: 3"));
}

TEST_CASE("distributed Map: a run is stopped with the execution, or with what the state stands in") {
  Core core(with_map(""));
  core.start("[1]");
  const TaskAttempt task = core.run().task;
  core.apply(stimulus::StopRequested{{"E", "c"}});
  REQUIRE(core.effects.size() == 1);
  CHECK(std::get<effect::StopMapRun>(core.effects[0]).task == task);

  Core parallel(R"({"StartAt":"B","States":{"B":{"Type":"Parallel","End":true,"Branches":[
    {"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{
       "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}},
    {"StartAt":"W","States":{"W":{"Type":"Fail","Error":"E"}}}]}}})");
  parallel.start("[1]");
  CHECK(parallel.history().find("MapRunAborted(") != std::string::npos);
  CHECK(parallel.execution.ended());
  CHECK(std::holds_alternative<effect::StopMapRun>(parallel.effects.back()));
}

TEST_CASE("distributed Map: an item is selected where the state stands") {
  Core core(with_map(
      R"("ItemsPath":"$.i","ItemSelector":{"k.$":"$$.Map.Item.Key","v.$":"$$.Map.Item.Value","n.$":"$$.Map.Item.Index","s.$":"$$.Map.Item.Source","x.$":"$.x"},)"));
  core.start(R"({"i":{"a":1},"x":2})");
  const Environment environment{from_millis(0), 1, &core.limits};
  const Execution before = core.execution;
  const Payload value = Payload::literal("1");
  const Outcome selected = select_item(*core.compiled.program, core.execution, core.run().task.frame,
                                       MapItem{5, value.view(), "a", "STATE_DATA"}, environment);
  REQUIRE(selected);
  CHECK(*selected == Payload::literal(R"({"k":"a","v":1,"n":5,"s":"STATE_DATA","x":2})"));
  CHECK(core.execution == before);

  Core plain(with_map(""));
  plain.start(R"({"a":1})");
  CHECK(select_item(*plain.compiled.program, plain.execution, plain.run().task.frame,
                    MapItem{0, value.view(), "a", "STATE_DATA"}, environment)
            ->text() == R"({"Key":"a","Value":1})");
}

TEST_CASE("batches: as many items as fit by number and by bytes") {
  const auto batch = [](MapRunPlan plan, const std::vector<std::string>& items) {
    Batcher batcher(plan, 262'144);
    std::string out;
    for (const std::string& item : items) {
      auto full = batcher.add(Payload::literal(item));
      if (!full) return full.error().error;
      for (const Batcher::Batch& b : *full)
        out += std::string(b.input.text()) + "x" + std::to_string(b.items) + " ";
    }
    if (auto rest = batcher.rest())
      out += std::string(rest->input.text()) + "x" + std::to_string(rest->items) + " ";
    return out;
  };
  MapRunPlan plan;
  CHECK(batch(plan, {"1", "2"}) == "1x1 2x1 ");
  plan.batch_items = 2;
  CHECK(batch(plan, {"1", "2", "3"}) == R"({"Items":[1,2]}x2 {"Items":[3]}x1 )");
  plan.batch_input = Payload::literal("{\"a\":1}");
  CHECK(batch(plan, {"1"}) == R"({"BatchInput":{"a":1},"Items":[1]}x1 )");
  CHECK(batch(plan, {}) == "");
  plan.batch_input.reset();
  plan.batch_items.reset();
  plan.batch_bytes = 15;  // {"Items":[1,2]} is 15 bytes long
  CHECK(batch(plan, {"1", "2", "3", "4", "5"}) == R"({"Items":[1,2]}x2 {"Items":[3,4]}x2 {"Items":[5]}x1 )");
  CHECK(batch(plan, {"1", "\"123456\""}) == "States.DataLimitExceeded");
}
