// Runs of Distributed Maps from start to end: results, tolerance, concurrency, batches, result files,
// stopping.

#include "tests/orchestrator/map_world.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::test;
using states::ExecutionStatus;

namespace {

const std::string kTypes[] = {"STANDARD", "EXPRESS"};

std::string text(const Ended& ended) {
  if (ended.output) return std::string(ended.output->text());
  return ended.failure ? ended.failure->error + ": " + ended.failure->cause : "nothing";
}

// One array of `count` numbers.
std::string numbers(int count) {
  std::string out = "[";
  for (int i = 0; i < count; ++i) out += (i > 0 ? "," : "") + std::to_string(i);
  return out + "]";
}

}  // namespace

TEST_CASE("map runs: outputs in the order of the items") {
  for (const std::string& type : kTypes) {
    CAPTURE(type);
    MapWorld world;
    const Ended ended = world.run(distributed("\"MaxConcurrency\":7,", type), numbers(50));
    CHECK(text(ended) == numbers(50));
    CHECK(world.runner.started == 50);
    CHECK(world.runner.out_most <= 7);
    const MapRunRow run = world.map_run(ended.id);
    CHECK(run.status == MapRunStatus::Succeeded);
    CHECK(run.children.succeeded == 50);
    CHECK(run.items.succeeded == 50);
    CHECK(run.children.total() == 50);
    CHECK(run.stopped);
    CHECK(text(world.run(distributed("", type), "[]")) == "[]");
    CHECK(text(world.run(distributed("", type), R"({"a":1,"b":2})")) ==
          R"([{"Key":"a","Value":1},{"Key":"b","Value":2}])");
  }
}

TEST_CASE("map runs: children are executions with names of their own") {
  MapWorld world;
  const Ended ended = world.run(distributed(""), "[1,2]");
  const MapRunRow run = world.map_run(ended.id);
  const auto children = world.ask<std::vector<ExecutionRow>>(
      [&](Store& store) { return store.children(run.id, {}, 10).value(); });
  REQUIRE(children.size() == 2);
  const auto events = world.ask<std::vector<states::Event>>(
      [&](Store& store) { return store.events(children[0].id, 0, 100).value(); });
  const auto& started = std::get<states::detail::ExecutionStarted>(events.front().details);
  CHECK(started.identity.machine_arn == "arn:aws:states:us-east-1:123456789012:stateMachine:M/L");
  CHECK(started.identity.arn == "arn:aws:states:us-east-1:123456789012:execution:M/L:" + children[0].name);
  CHECK(started.input.text() == "1");
  CHECK(events.back().type == states::EventType::ExecutionSucceeded);
}

TEST_CASE("map runs: what is tolerated") {
  struct Case {
    const char *fields, *input;
    bool passes;
  };
  const std::string bad = R"({"fail":1})";
  const std::string input = "[0," + bad + ",0," + bad + "]";
  for (const std::string& type : kTypes) {
    for (const auto& [fields, passes] :
         {std::pair{"", false},
          {"\"ToleratedFailureCount\":1,", false},
          {"\"ToleratedFailureCount\":2,", true},
          {"\"ToleratedFailurePercentage\":49,", false},
          {"\"ToleratedFailurePercentage\":50,", true},
          {"\"ToleratedFailureCount\":3,\"ToleratedFailurePercentage\":20,", false}}) {
      CAPTURE(type);
      CAPTURE(fields);
      MapWorld world;
      const Ended ended = world.run(distributed(fields, type), input);
      CHECK((ended.status == ExecutionStatus::Succeeded) == passes);
      const MapRunRow run = world.map_run(ended.id);
      CHECK((run.status == MapRunStatus::Succeeded) == passes);
      if (passes) {
        CHECK(run.children.failed == 2);
        CHECK(run.children.succeeded == 2);
        REQUIRE(ended.output->view().size() == 4);
        CHECK(ended.output->view().at(1).find("Error").string() == "Custom");
        CHECK(ended.output->view().at(1).find("Status").string() == "FAILED");
      } else {
        CHECK(
            text(ended) ==
            "States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded");
      }
    }
  }
}

TEST_CASE("map runs: the children that run are aborted when the run has failed") {
  for (const std::string& type : kTypes) {
    MapWorld world;
    const Ended ended =
        world.run(distributed("\"MaxConcurrency\":3,", type), R"([{"hang":1},{"hang":2},{"fail":1},4,5])");
    CHECK(ended.status == ExecutionStatus::Failed);
    CHECK(world.runner.cancelled == 2);
    const MapRunRow run = world.map_run(ended.id);
    CHECK(run.children.aborted == 2);
    CHECK(run.children.failed == 1);
    CHECK(run.children.pending == 2);
  }
}

TEST_CASE("map runs: stopping the execution stops the run and its children") {
  for (const std::string& type : kTypes) {
    MapWorld world;
    world.runner.on_start = [&](const TaskRequest&) {
      if (world.runner.started == 2) {
        world.loop->post([&] {
          world.engine->stop_execution(ExecutionId{1}, {"Stop", "now"},
                                       [](Result<void> stopped) { CHECK(stopped); });
        });
      }
    };
    const Ended ended = world.run(distributed("", type), R"([{"hang":1},{"hang":2}])");
    CHECK(ended.status == ExecutionStatus::Aborted);
    MapRunRow run;
    for (int i = 0; i < 200 && run.status == MapRunStatus::Running; ++i) run = world.map_run(ended.id);
    CHECK(run.status == MapRunStatus::Aborted);
    CHECK(run.children.aborted == 2);
    CHECK(world.runner.cancelled == 2);
  }
}

TEST_CASE("map runs: items are read, selected and put into batches") {
  MapWorld world;
  world.objects.objects["b/k.csv"] = "a,b\n1,2\n3,4\n5,6\n";
  const std::string reader =
      R"("ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key.$":"$.key"},
         "ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}},
         "ItemSelector":{"v.$":"$$.Map.Item.Value.a","n.$":"$$.Map.Item.Index","s.$":"$$.Map.Item.Source","x.$":"$.x"},
         "ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{"x.$":"$.x"}},)";
  for (const std::string& type : kTypes) {
    const Ended ended = world.run(distributed(reader, type), R"({"key":"k.csv","x":9})");
    CHECK(
        text(ended) ==
        R"([{"BatchInput":{"x":9},"Items":[{"v":"1","n":0,"s":"S3://b/k.csv","x":9},{"v":"3","n":1,"s":"S3://b/k.csv","x":9}]},)"
        R"({"BatchInput":{"x":9},"Items":[{"v":"5","n":2,"s":"S3://b/k.csv","x":9}]}])");
    const MapRunRow run = world.map_run(ended.id);
    CHECK(run.children.succeeded == 2);
    CHECK(run.items.succeeded == 3);
  }
  CHECK(text(world.run(distributed(reader), R"({"key":"none","x":1})")) ==
        "States.ItemReaderFailed: The specified key does not exist: s3://b/none");
  CHECK(text(world.run(distributed(R"("ItemSelector":{"v.$":"$.nothing"},)"), "[1]")).find("$.nothing") !=
        std::string::npos);
  CHECK(text(world.run(distributed("\"ItemBatcher\":{\"MaxInputBytesPerBatch\":20},"),
                       "[\"a text that is long\"]"))
            .starts_with("States.DataLimitExceeded"));
}

TEST_CASE("map runs: an output beyond the limit fails") {
  EngineSettings settings;
  settings.limits.payload_bytes_max = 2000;
  for (const std::string& type : kTypes) {
    MapWorld world(settings);
    CHECK(text(world.run(
              distributed("", type,
                          R"("P":{"Type":"Pass","Result":")" + std::string(300, 'x') + R"(","End":true})"),
              numbers(10))) ==
          "States.DataLimitExceeded: The state/task 'Map' returned a result with a size exceeding the "
          "maximum number "
          "of bytes service limit.");
  }
}

TEST_CASE("map runs: result files, and the shapes of results") {
  for (const std::string& type : kTypes) {
    CAPTURE(type);
    MapWorld world;
    const std::string writer =
        R"("ToleratedFailureCount":1,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"out","Prefix":"p"}},)";
    const Ended ended = world.run(distributed(writer, type), R"([[1],{"fail":1},[2,3]])");
    const MapRunRow run = world.map_run(ended.id);
    const std::string folder = "out/p/" + std::string(run_uuid(run.arn)) + "/";
    CHECK(text(ended) == R"({"MapRunArn":")" + run.arn +
                             R"(","ResultWriterDetails":{"Bucket":"out","Key":")" + folder.substr(4) +
                             R"(manifest.json"}})");
    const Payload manifest = Payload::literal(world.objects.objects.at(folder + "manifest.json"));
    CHECK(manifest.view().find("ResultFiles").find("SUCCEEDED").at(0).find("Size").integer() ==
          static_cast<std::int64_t>(world.objects.objects.at(folder + "SUCCEEDED_0.json").size()));
    CHECK(manifest.view().find("ResultFiles").find("PENDING").size() == 0);
    const Payload good = Payload::literal(world.objects.objects.at(folder + "SUCCEEDED_0.json"));
    REQUIRE(good.view().size() == 2);
    CHECK(good.view().at(1).find("Output").string() == "[2,3]");
    CHECK(good.view().at(1).find("Input").string() == "[2,3]");
    CHECK(good.view().at(1).find("Status").string() == "SUCCEEDED");
    const Payload bad = Payload::literal(world.objects.objects.at(folder + "FAILED_0.json"));
    REQUIRE(bad.view().size() == 1);
    CHECK(bad.view().at(0).find("Error").string() == "Custom");
    CHECK(bad.view().at(0).find("Input").string() == R"({"fail":1})");
    CHECK(run.children.results_written == 3);
  }
  MapWorld world;
  const auto config = [](const std::string& c) { return "\"ResultWriter\":{\"WriterConfig\":{" + c + "}},"; };
  CHECK(text(world.run(distributed(config(R"("Transformation":"FLATTEN")")), "[[1],2,[3,[4]]]")) ==
        "[1,2,3,[4]]");
  CHECK(text(world.run(distributed(config(R"("Transformation":"COMPACT")")), "[[1],2]")) == "[[1],2]");
  CHECK(world.run(distributed(config(R"("Transformation":"NONE")")), "[7]")
            .output->view()
            .at(0)
            .find("Input")
            .string() == "7");
  const Ended lines = world.run(
      distributed(
          R"("ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"out","Prefix":"l"},"WriterConfig":{"OutputType":"JSONL","Transformation":"FLATTEN"}},)"),
      "[[1],[2,3]]");
  CHECK(world.objects.objects.at("out/l/" + std::string(run_uuid(world.map_run(lines.id).arn)) +
                                 "/SUCCEEDED_0.jsonl") == "1\n2\n3\n");
  CHECK(
      text(world.run(
          distributed(
              R"("ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"full"}},)"),
          "[1]")) == "States.ResultWriterFailed: the disk is full");
  // A run that has failed tells what was never started.
  const Ended failed = world.run(
      distributed(
          R"("MaxConcurrency":1,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"out","Prefix":"f"}},)"),
      "[{\"fail\":1},2,3]");
  CHECK(failed.status == ExecutionStatus::Failed);
  const Payload pending = Payload::literal(world.objects.objects.at(
      "out/f/" + std::string(run_uuid(world.map_run(failed.id).arn)) + "/PENDING_0.json"));
  REQUIRE(pending.view().size() == 2);
  CHECK(pending.view().at(0).text() ==
        R"({"Input":"2","InputDetails":{"Included":true},"Status":"PENDING"})");
}

TEST_CASE("map runs: concurrency and tolerance can be changed while it runs") {
  MapWorld world;
  std::string arn;
  bool asked = false;
  world.runner.on_start = [&](const TaskRequest&) {
    if (std::exchange(asked, true)) return;
    world.loop->post([&] {
      world.committer->run(
          [&](Store& store) { arn = store.map_runs().of(ExecutionId{1}, {}, 1).value().at(0).arn; },
          [&] {
            MapRuns& runs = world.engine->map_runs();
            runs.describe(arn, [&](Result<MapRunRow> row) {
              REQUIRE(row);
              CHECK(row->children.running == 1);
              CHECK(row->children.pending == 2);
              CHECK(row->concurrency == 1);
            });
            runs.update(arn, {-1, {}, {}}, [](Result<void> done) { CHECK_FALSE(done); });
            runs.update(arn, {3, 1, {}}, [](Result<void> done) { CHECK(done); });
          });
    });
  };
  // The first one hangs until the third, which can only start beside it, fails; that much is tolerated.
  const Ended stopped = [&] {
    world.runner.on_start = [&, before = world.runner.on_start](const TaskRequest& request) {
      before(request);
      if (world.runner.started == 3) {
        world.loop->post([&] {
          world.engine->stop_execution(ExecutionId{1}, {"Stop", "seen"}, [](Result<void>) {});
        });
      }
    };
    return world.run(distributed("\"MaxConcurrency\":1,"), R"([{"hang":1},{"hang":2},{"fail":1}])");
  }();
  CHECK(stopped.failure->cause == "seen");
  CHECK(world.runner.started == 3);
  world.engine->map_runs().update(arn, {5, {}, {}}, [&](Result<void> done) {
    CHECK_FALSE(done);
    world.loop->stop();
  });
  world.loop->run();
}

TEST_CASE("map runs: one inside another") {
  MapWorld world;
  const std::string inner =
      R"("P":{"Type":"Map","End":true,"Label":"Inner","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
          "StartAt":"Q","States":{"Q":{"Type":"Pass","End":true}}}})";
  CHECK(text(world.run(distributed("", "STANDARD", inner), "[[1,2],[],[3]]")) == "[[1,2],[],[3]]");
}
