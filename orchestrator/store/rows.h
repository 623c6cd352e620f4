#pragma once
// The rows a store keeps beside histories: what lists show, and what recovery starts from.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "states/event.h"
#include "states/execution.h"

namespace millrace::orchestrator {

using MachineId = Id<struct MachineTag>;
using MapRunId = Id<struct MapRunTag>;

enum class MachineType : std::uint8_t { Standard, Express };
enum class MachineStatus : std::uint8_t {
  Active,
  Deleting,  // its executions are being stopped; none may start
  Deleted,   // kept for the histories of its executions; the name is free again
};
std::string_view name_of(MachineType type);  // "STANDARD", "EXPRESS"

// One revision of a state machine. Executions keep the revision they started with.
struct MachineRow {
  MachineId id;
  std::string arn, name, role_arn;
  std::string definition;  // the text as it was given
  std::string hash;        // SHA-256 of it
  Instant created;         // of this revision
  MachineId family = {};   // the state machine itself: the id of its first revision
  MachineType type = MachineType::Standard;
  std::string revision = {};               // revisionId; empty for the first
  std::string logging = {}, tracing = {};  // the configurations as JSON; empty: none was given
  Instant machine_created = {};            // of the first revision
  MachineStatus status = MachineStatus::Active;
  bool operator==(const MachineRow&) const = default;
};

// A published version: a revision under a number that is never used again.
struct VersionRow {
  MachineId family;
  std::uint32_t number = 0;
  MachineId machine;  // the revision
  std::string description;
  Instant created;
  bool operator==(const VersionRow&) const = default;
};

// A name for one or two versions; executions are shared out by weight.
struct AliasRoute {
  std::uint32_t version = 0;
  int weight = 0;  // of 100
  bool operator==(const AliasRoute&) const = default;
};
struct AliasRow {
  MachineId family;
  std::string name, description;
  std::vector<AliasRoute> routes;
  Instant created, updated;
  bool operator==(const AliasRow&) const = default;
};

struct ActivityRow {
  std::string arn, name;
  Instant created;
  bool operator==(const ActivityRow&) const = default;
};

struct TagRow {
  std::string key, value;
  bool operator==(const TagRow&) const = default;
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
  std::uint32_t version = 0;    // of the state machine, when it was started by version or alias
  std::string alias = {};       // it was started by
  std::uint32_t redrives = 0;
  std::optional<Instant> redriven = {};  // when last
  std::string started_by = {};           // the task of another execution (parent_text()); empty: a client
  bool operator==(const ExecutionRow&) const = default;
};

}  // namespace millrace::orchestrator
