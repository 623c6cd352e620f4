#include "service/cli/state_tree.h"

#include <doctest/doctest.h>

#include "base/utf8.h"
#include "definitions/compile.h"
#include "service/cli/history_tree.h"
#include "service/cli/print.h"
#include "service/cli/show.h"
#include "service/cli/watch.h"
#include "states/decide.h"
#include "states/history_json.h"

using namespace millrace;
using namespace millrace::cli;

namespace {

// An execution that is driven by hand, and the tree of what happened.
struct Driven {
  std::shared_ptr<const definitions::Program> program;
  states::Execution execution;
  StateTree tree;
  HistoryTree history;  // learns the same from what AWS's history shows of it
  Limits limits;
  Instant now = from_millis(1'000'000);

  explicit Driven(std::string_view definition)
      : program(definitions::compile(definition).program), tree(program), history(program) {
    REQUIRE(program);
  }
  void hand_in(const states::Stimulus& stimulus) {
    states::Decision decision = states::decide(*program, std::move(execution), stimulus, {now, 1, &limits});
    execution = std::move(decision.next);
    for (const states::Event& event : decision.events) {
      tree.apply(event);
      if (!states::visible(event.type)) continue;
      JsonWriter out;
      states::write_event(out, event);
      history.apply(to_json(out.finish().view()));
    }
  }
  void start(std::string_view input = "{}") {
    hand_in(states::stimulus::Started{{"arn", "name", "machine-arn", "machine", "role"},
                                      Payload::literal(input)});
  }
  // Ends the task that the frame waits for.
  void report(FrameId frame, Outcome outcome) {
    const states::Frame& f = execution.frames.at(frame);
    hand_in(states::stimulus::TaskReported{{frame, f.entered, f.attempt}, std::move(outcome)});
  }
  static std::string text_of(const StateRows& rows, std::size_t height) {
    std::string out;
    for (const StateRow* row : rows.shown(height))
      out += std::string(row->depth, '>') + row->name + " " + std::string(name_of(row->status)) + "\n";
    return out;
  }
  std::string text(std::size_t height = 0) const {
    CHECK(text_of(history, height) == text_of(tree, height));
    CHECK(history.not_entered() == tree.not_entered());
    CHECK(history.over() == tree.over());
    return text_of(tree, height);
  }
};

const char* const kParallel = R"({"StartAt":"Both","States":{
  "Both":{"Type":"Parallel","Next":"After","Branches":[
    {"StartAt":"A1","States":{"A1":{"Type":"Task","Resource":"arn:aws:states:::x:y","Next":"A2"},"A2":{"Type":"Pass","End":true}}},
    {"StartAt":"B1","States":{"B1":{"Type":"Task","Resource":"arn:aws:states:::x:y","End":true}}}]},
  "After":{"Type":"Wait","Seconds":9,"End":true}}})";

}  // namespace

TEST_CASE("state tree: branches stay together whatever order they move in") {
  Driven run(kParallel);
  run.start();
  CHECK(run.text() == "Both RUNNING\n>A1 RUNNING\n>B1 RUNNING\n");
  CHECK(run.tree.not_entered() == std::vector<std::string>{"After"});
  run.report(FrameId{2}, Payload::literal("1"));
  CHECK(run.text() == "Both RUNNING\n>A1 SUCCEEDED\n>A2 SUCCEEDED\n>B1 RUNNING\n");
  run.report(FrameId{3}, Payload::literal("2"));
  CHECK(run.text() == "Both SUCCEEDED\n>A1 SUCCEEDED\n>A2 SUCCEEDED\n>B1 SUCCEEDED\nAfter RUNNING\n");
  CHECK(run.tree.not_entered().empty());
  SUBCASE("on a small screen what is over is folded away first, then the oldest goes") {
    CHECK(run.text(4) == "Both SUCCEEDED\nAfter RUNNING\n");
    CHECK(run.text(1) == "After RUNNING\n");
  }
  SUBCASE("a stop ends what was running") {
    run.hand_in(states::stimulus::StopRequested{{"Enough", "by hand"}});
    CHECK(run.text().ends_with("After ABORTED\n"));
  }
}

TEST_CASE("state tree: a failed branch, the other one aborted, the failure's reason as note") {
  Driven run(kParallel);
  run.start();
  run.report(FrameId{2}, failed("States.TaskFailed", R"({"JobName":"j","FailureReason":"no such column"})"));
  CHECK(run.text() == "Both FAILED\n>A1 FAILED\n>B1 ABORTED\n");
  CHECK(run.tree.shown()[1]->note == "States.TaskFailed: no such column");
}

TEST_CASE("history tree: after a redrive what fell goes on where it was") {
  Driven run(kParallel);
  const auto text = [&] { return Driven::text_of(run.history, 0); };
  run.start();
  run.report(FrameId{3}, failed("E", "why"));
  CHECK(text() == "Both FAILED\n>A1 ABORTED\n>B1 FAILED\n");
  run.hand_in(states::stimulus::RedriveRequested{});
  CHECK(text() == "Both RUNNING\n>A1 RUNNING\n>B1 RUNNING\n");
  CHECK(!run.history.over());
  run.report(FrameId{3}, Payload::literal("2"));
  CHECK(text() == "Both RUNNING\n>A1 RUNNING\n>B1 SUCCEEDED\n");
  run.report(FrameId{2}, Payload::literal("1"));
  CHECK(text() == "Both SUCCEEDED\n>A1 SUCCEEDED\n>A2 SUCCEEDED\n>B1 SUCCEEDED\nAfter RUNNING\n");
}

TEST_CASE("state tree: iterations carry their number, a loop its visits") {
  Driven map(R"({"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{
    "StartAt":"One","States":{"One":{"Type":"Task","Resource":"arn:aws:states:::x:y","End":true}}}}}})");
  map.start("[7,8,9]");
  map.report(FrameId{3}, Payload::literal("1"));
  CHECK(map.text() == "M RUNNING\n>[0] One RUNNING\n>[1] One SUCCEEDED\n>[2] One RUNNING\n");
  CHECK(map.tree.shown()[0]->note == "1/3 items");
  CHECK(map.history.shown()[0]->note == "1/3 items");

  Driven loop(
      R"({"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"P"},"P":{"Type":"Pass","Next":"C"},
    "C":{"Type":"Choice","Choices":[{"Variable":"$.x","IsPresent":false,"Next":"W"}],"Default":"E"},"E":{"Type":"Succeed"}}})");
  loop.start();
  for (int i = 0; i < 3; ++i) {
    loop.now += std::chrono::seconds(2);
    loop.hand_in(states::stimulus::TimeCame{});
  }
  CHECK(loop.text() == "W RUNNING\nP SUCCEEDED\nC SUCCEEDED\n");
  CHECK(loop.tree.shown()[0]->visits == 4);
  CHECK(loop.tree.shown()[1]->visits == 3);
}

TEST_CASE("state tree: what lies in each other, and ends together") {
  Driven run(
      R"({"StartAt":"Out","States":{"Out":{"Type":"Map","Next":"After","ItemProcessor":{"StartAt":"Both","States":{
      "Both":{"Type":"Parallel","Next":"Then","Branches":[
        {"StartAt":"In","States":{"In":{"Type":"Map","End":true,"ItemsPath":"$.a","ItemProcessor":{
           "StartAt":"One","States":{"One":{"Type":"Task","Resource":"arn:aws:states:::x:y","Next":"Two"},"Two":{"Type":"Pass","End":true}}}}}},
        {"StartAt":"B1","States":{"B1":{"Type":"Pass","End":true}}}]},
      "Then":{"Type":"Pass","End":true}}}},
    "After":{"Type":"Task","Resource":"arn:aws:states:::x:y","Catch":[{"ErrorEquals":["States.ALL"],"Next":"Last"}],"End":true},
    "Last":{"Type":"Fail","Error":"Enough"}}})");
  run.start(R"([{"a":[1,2]},{"a":[3]}])");
  CHECK(run.text().ends_with("Two SUCCEEDED\n") == false);
  for (int round = 0; round < 3; ++round) {  // one task after the other, whichever comes first
    std::vector<FrameId> waiting;
    for (const auto& [id, frame] : run.execution.frames) {
      if (std::holds_alternative<states::waiting::ForTask>(frame.waiting)) waiting.push_back(id);
    }
    REQUIRE(waiting.size() == static_cast<std::size_t>(3 - round));
    run.report(waiting[waiting.size() / 2], Payload::literal("1"));
    CHECK(!run.text().empty());
  }
  CHECK(run.text().ends_with("After RUNNING\n"));
  for (const char* state : {"[1] Both", "[0] One", "[1] One", "[1] Then"})
    CHECK(run.text().find(state) != std::string::npos);
  run.report(FrameId{1}, failed("E", "why"));
  CHECK(run.text().ends_with("After CAUGHT\nLast FAILED\n"));
  CHECK(run.history.shown().back()->name == "Last");
}

TEST_CASE("state tree: a retry waits, a caught failure is neither") {
  Driven run(R"({"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::x:y","End":true,
    "Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"E"}]},
    "E":{"Type":"Succeed"}}})");
  run.start();
  run.report(FrameId{1}, failed("E1", "first"));
  CHECK(run.tree.shown()[0]->note == "tries again in 1.0 s · E1: first");
  CHECK(run.tree.shown()[0]->status == StateRow::Status::Waiting);
  run.now += std::chrono::seconds(2);
  run.hand_in(states::stimulus::TimeCame{});
  CHECK(run.tree.shown()[0]->status == StateRow::Status::Running);
  run.report(FrameId{1}, failed("E2", "second"));
  CHECK(run.text() == "T CAUGHT\nE SUCCEEDED\n");
}

TEST_CASE("tree line: never wider than the screen, one line whatever the text") {
  StateRow row;
  row.name = "Ünïcode with a long name\tand a\nbreak in it";
  row.kind = "Task · sagemaker:createTrainingJob.sync";
  row.note = "a cause\nof several lines " + std::string(300, 'x');
  row.depth = 3;
  row.visits = 2;
  row.entered = from_millis(0);
  for (std::size_t columns = 12; columns < 160; columns += 7) {
    const std::string line = tree_line(row, from_millis(90'000), columns, false);
    CAPTURE(columns);
    CHECK(count_code_points(line) <= std::max<std::size_t>(columns, 6 + 2 + 28));
    CHECK(line.find('\n') == std::string::npos);
  }
  CHECK(tree_line(row, from_millis(90'000), 120, false).find("1 min 30 s") != std::string::npos);
  CHECK(tree_line(row, from_millis(90'000), 120, false).find('\x1b') == std::string::npos);
  CHECK(tree_line(row, from_millis(90'000), 120, true).find("\x1b[36m●") != std::string::npos);
}

TEST_CASE("progress in words") {
  CHECK(
      describe_progress(Payload::literal(
          R"({"phase":"Training","fraction":0.62,"round":124,"rounds":200,"metric":"validation:auc","value":0.93124,"etaSeconds":1.24})")) ==
      "Training 62 % · round 124/200 · validation:auc 0.9312 · 1.2 s left");
  CHECK(describe_progress(
            Payload::literal(R"({"phase":"Downloading","rows":5000,"rowsPerSecond":250000.4})")) ==
        "Downloading · 5000 rows · 250000 rows/s");
  CHECK(describe_progress(Payload::literal("{}")) == "");
  CHECK(describe_progress(Payload::literal(R"({"phase":1,"round":"x"})")) == "");
}

TEST_CASE("pretty: exact values, short arrays on one line") {
  CHECK(
      pretty(Payload::literal(R"({"a":1.10,"b":[1,2,3],"c":{},"d":[],"e":{"f":[{"g":null},[]]},"h":"x\ny"})")
                 .view()) ==
      "{\n  \"a\": 1.10,\n  \"b\": [1, 2, 3],\n  \"c\": {},\n  \"d\": [],\n  \"e\": {\n    \"f\": [\n      "
      "{\n        \"g\": null\n"
      "      },\n      []\n    ]\n  },\n  \"h\": \"x\\ny\"\n}");
  CHECK(pretty(Payload::literal("3").view()) == "3");
  const std::string wide = "[\"" + std::string(120, 'a') + "\"]";
  CHECK(pretty(Payload::literal(wide).view()) == "[\n  \"" + std::string(120, 'a') + "\"\n]");
}

TEST_CASE("failures for people") {
  CHECK(for_people("States.TaskFailed", R"({"FailureReason":"why"})") == "States.TaskFailed: why");
  CHECK(for_people("E", "plain words") == "E: plain words");
  CHECK(for_people("E", "") == "E");
  CHECK(for_people("", "c") == "c");
  CHECK(for_people("E", R"({"other":1})") == R"(E: {"other":1})");
}
