// The engine under thousands of seeds. MILLRACE_SEED=n runs that one alone; MILLRACE_SEEDS=n runs n of them.

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/log.h"
#include "tests/simulation/simulation.h"

using namespace millrace;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("simulation: every acknowledged execution ends once, whatever crashes when") {
  log::set_level(log::Level::Off);
  const std::uint64_t one = from_environment("MILLRACE_SEED", 0);
  const std::uint64_t first = one ? one : 1, last = one ? one : from_environment("MILLRACE_SEEDS", 4000);
  simulation::Run total;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed <= last && failed < 5; ++seed) {
    const simulation::Run run = simulation::simulate(seed);
    total.steps += run.steps;
    total.events += run.events;
    total.executions += run.executions;
    total.crashes += run.crashes;
    total.tasks += run.tasks;
    for (const auto& [type, count] : run.types) total.types[type] += count;
    if (!run.wrong.empty()) ++failed;
    CHECK_MESSAGE(run.wrong.empty(), "MILLRACE_SEED=" << seed << ": " << run.wrong);
    if (one) MESSAGE("trace " << run.trace << ", " << run.steps << " steps, " << run.events << " events");
  }
  MESSAGE("seeds " << last - first + 1 << ", executions " << total.executions << ", events " << total.events
                   << ", task effects " << total.tasks << ", crashes " << total.crashes << ", steps "
                   << total.steps);
  if (one || last < 500) return;
  // What the seeds are for must really happen in them.
  using states::EventType;
  for (const EventType type :
       {EventType::ExecutionSucceeded, EventType::ExecutionFailed, EventType::ExecutionTimedOut,
        EventType::ExecutionAborted, EventType::LambdaFunctionTimedOut, EventType::TaskSucceeded,
        EventType::TaskSubmitted, EventType::RetryScheduled, EventType::MapIterationSucceeded,
        EventType::ExecutionRedriven, EventType::ParallelStateFailed, EventType::MapStateFailed,
        EventType::WaitStateExited}) {
    CHECK_MESSAGE(total.types[type] > 0, "no seed leads to " << states::name_of(type));
  }
  CHECK(total.crashes > 1000);
}

TEST_CASE("simulation: a seed replays event for event") {
  log::set_level(log::Level::Off);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const simulation::Run a = simulation::simulate(seed), b = simulation::simulate(seed);
    CHECK(a.trace == b.trace);
    CHECK(a.steps == b.steps);
  }
}
