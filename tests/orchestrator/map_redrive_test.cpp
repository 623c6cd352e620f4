// Redriven executions with Distributed Maps: children that succeeded stay, the others run again.

#include "tests/orchestrator/map_world.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::test;
using states::ExecutionStatus;

namespace {

Ended redrive(MapWorld& world, ExecutionId id) {
  const auto events =
      world.ask<std::vector<states::Event>>([&](Store& store) { return store.events(id, 0, 1).value(); });
  const auto& started = std::get<states::detail::ExecutionStarted>(events.front().details);
  Ended result;
  world.engine->redrive_execution(started.identity.arn, {}, [&](const Result<Instant>& redriven) {
    REQUIRE_MESSAGE(redriven, (redriven ? "" : redriven.error().message));
    world.engine->when_ended(id, [&](const Result<Ended>& ended) {
      REQUIRE(ended);
      result = *ended;
      world.loop->stop();
    });
  });
  world.loop->run();
  return result;
}

}  // namespace

TEST_CASE("map runs: a redrive runs the children again that did not succeed") {
  for (const std::string type : {"STANDARD", "EXPRESS"}) {
    CAPTURE(type);
    MapWorld world;
    const std::string input = R"([1,2,{"fail":1},4,5,6])";
    const Ended failed = world.run(distributed("\"MaxConcurrency\":1,", type), input);
    REQUIRE(failed.status == ExecutionStatus::Failed);
    CHECK(world.runner.started == 3);
    const Ended again = redrive(world, failed.id);  // and it fails in the same way
    CHECK(again.status == ExecutionStatus::Failed);
    CHECK(world.runner.started == 4);
    world.runner.mended = true;
    const Ended ended = redrive(world, failed.id);
    REQUIRE(ended.status == ExecutionStatus::Succeeded);
    CHECK(ended.output->text() == input);
    CHECK(world.runner.started == 8);
    const MapRunRow run = world.map_run(failed.id);
    CHECK(run.status == MapRunStatus::Succeeded);
    CHECK(run.redrives == 2);
    CHECK(run.children.succeeded == 6);
    CHECK(run.children.failed == 0);
    const auto events = world.ask<std::vector<states::Event>>(
        [&](Store& store) { return store.events(failed.id, 0, ~std::size_t{0}).value(); });
    std::size_t redriven = 0;
    for (const states::Event& event : events) redriven += event.type == states::EventType::MapRunRedriven;
    CHECK(redriven == 2);
  }
}
