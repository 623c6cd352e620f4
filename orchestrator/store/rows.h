#pragma once
// The rows a store keeps beside histories: what lists show, and what recovery starts from.

#include <cstdint>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "states/event.h"
#include "states/execution.h"

namespace millrace::orchestrator {

using MachineId = Id<struct MachineTag>;
using MapRunId = Id<struct MapRunTag>;

// One revision of a state machine's definition. Executions keep the revision they started with.
struct MachineRow {
  MachineId id;
  std::string arn, name, role_arn;
  std::string definition;  // the text as it was given
  std::string hash;        // SHA-256 of it
  Instant created;
  bool operator==(const MachineRow&) const = default;
};

// What a list of executions shows without reading histories, and what a restart needs to know.
struct ExecutionRow {
  ExecutionId id;
  MachineId machine;
  std::string name;
  states::ExecutionStatus status = states::ExecutionStatus::Running;
  Instant started;
  std::optional<Instant> stopped;
  std::optional<Instant> due;   // next_due(): when TimeCame is to be handed in
  bool tasks_out = false;       // outstanding() is not empty
  std::uint64_t events = 0;     // in its history, hidden ones too
  MapRunId map_run = {};        // of a child of a Distributed Map; 0: of none
  std::uint32_t map_items = 0;  // how many items this child has
  bool operator==(const ExecutionRow&) const = default;
};

}  // namespace millrace::orchestrator
