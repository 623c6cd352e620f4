#pragma once
// One run of the engine in a world made from a seed: clients that start and stop executions, a store and
// tasks that go wrong, and an engine that is killed and restarted at random points. What is wrong is in
// `wrong`; the same seed gives the same run, event for event (`trace`).

#include <cstdint>
#include <map>
#include <string>

#include "states/event.h"

namespace millrace::simulation {

struct Run {
  std::string wrong;  // empty: all is well
  std::uint64_t trace = 0;
  std::uint64_t steps = 0, events = 0, executions = 0, crashes = 0, tasks = 0;
  std::map<states::EventType, std::uint64_t> types;  // how many events of each kind
};
Run simulate(std::uint64_t seed);

}  // namespace millrace::simulation
