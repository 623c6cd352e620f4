#pragma once
// Effects: something to do, after the events that ask for it are durable.

#include <optional>
#include <variant>

#include "definitions/nodes.h"
#include "states/stimulus.h"

namespace millrace::states {

namespace effect {
struct StartTask {
  TaskAttempt task;
  const definitions::Resource* resource = nullptr;  // borrowed from the Program
  std::string state_name;
  Payload arguments;
  std::optional<std::int64_t> heartbeat_seconds;
  // After a restart: a worker has it (an activity), or it was sent and its token is out.
  bool under_way = false;
};
struct CancelTask {
  TaskAttempt task;
};
// A distributed Map: read its items, run a child execution for each, report MapRunEnded. A run that is there
// already is gone on with.
struct StartMapRun {
  TaskAttempt task;
  const definitions::Map* map = nullptr;  // borrowed from the Program
  std::string state_name;
  std::string arn;
  Payload plan;   // MapRunPlan
  Payload items;  // when there is no reader
  std::uint32_t redrives =
      0;  // what is asked for: a run that had ended with fewer runs again for what failed
};
struct StopMapRun {
  TaskAttempt task;
};
}  // namespace effect

using Effect = std::variant<effect::StartTask, effect::CancelTask, effect::StartMapRun, effect::StopMapRun>;

}  // namespace millrace::states
