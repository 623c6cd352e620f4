#pragma once
// Effects: something to do, after the events that ask for it are durable.

#include <optional>
#include <variant>

#include "definitions/resource.h"
#include "states/stimulus.h"

namespace millrace::states {

namespace effect {
struct StartTask {
  TaskAttempt task;
  const definitions::Resource* resource = nullptr;  // borrowed from the Program
  std::string state_name;
  Payload arguments;
  std::optional<std::int64_t> heartbeat_seconds;
};
struct CancelTask {
  TaskAttempt task;
};
}  // namespace effect

using Effect = std::variant<effect::StartTask, effect::CancelTask>;

}  // namespace millrace::states
