// Activities by themselves: workers that go away while a task is on its way to them.

#include "orchestrator/dispatch/activities.h"

#include <doctest/doctest.h>

#include <utility>

#include "simulation/scheduler.h"

using namespace millrace;
using namespace millrace::orchestrator;

TEST_CASE("Activities: a worker that goes while a task is on its way gets no other one") {
  simulation::Scheduler scheduler(1);
  simulation::SimulatedLoop loop(scheduler);
  std::vector<std::function<void(bool)>> takes;
  Activities activities(loop,
                        [&](const ActivityTask&, const std::string&, std::function<void(bool)> done) {
                          takes.push_back(std::move(done));
                        },
                        {});
  const auto task = [](std::uint64_t number) {
    return ActivityTask{{ExecutionId{number}, FrameId{1}, 1, 0}, Payload::literal(std::to_string(number))};
  };
  std::vector<std::string> gone, stays;
  const auto into = [](std::vector<std::string>& list) {
    return [&list](Result<std::optional<ActivityTask>> given) {
      REQUIRE(given);
      list.emplace_back(*given ? (*given)->input.text() : "none");
    };
  };
  const std::uint64_t first = activities.poll("a", "ann", into(gone));
  activities.schedule("a", task(1));
  REQUIRE(takes.size() == 1);
  activities.withdraw("a", first);
  CHECK(gone.empty());                      // the answer follows what became of the task
  std::exchange(takes[0], nullptr)(false);  // nobody waits for it any more
  CHECK(gone == std::vector<std::string>{"none"});
  activities.schedule("a", task(2));
  CHECK(takes.size() == 1);
  activities.poll("a", "ben", into(stays));
  REQUIRE(takes.size() == 2);
  std::exchange(takes[1], nullptr)(false);  // who stays waits on
  activities.schedule("a", task(3));
  REQUIRE(takes.size() == 3);
  std::exchange(takes[2], nullptr)(true);
  CHECK(stays == std::vector<std::string>{"3"});
  while (scheduler.step()) {
  }
  CHECK(gone.size() == 1);
  CHECK(stays.size() == 1);
}
