#pragma once
// Rows of map runs: what a Distributed Map's run is and how far it is, and the results of children that are
// not executions of their own (EXPRESS). Children of STANDARD runs are executions; a store lists them by
// their run. Part of a Store: the same thread, the same file.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/payload.h"
#include "base/result.h"
#include "orchestrator/store/rows.h"

namespace millrace::orchestrator {

enum class MapRunStatus : std::uint8_t { Running, Succeeded, Failed, Aborted };
std::string_view name_of(MapRunStatus status);  // "RUNNING", …

// How many children, or how many of their items, are where. Source: MapRunExecutionCounts in the API
// reference.
struct MapRunCounts {
  std::int64_t pending = 0, running = 0, succeeded = 0, failed = 0, timed_out = 0, aborted = 0;
  std::int64_t results_written = 0;
  std::int64_t not_redrivable = 0, pending_redrive = 0;
  bool operator==(const MapRunCounts&) const = default;
  std::int64_t total() const {
    return pending + running + succeeded + failed + timed_out + aborted + pending_redrive;
  }
};

struct MapRunRow {
  MapRunId id;
  std::string arn;
  std::string execution_arn;  // the parent's
  ExecutionId execution;
  FrameId frame;  // which visit of which state of the parent
  std::uint64_t visit = 0;
  std::uint32_t attempt = 0;
  MachineId machine;  // the parent's revision; `state` is the Map in it
  std::string state;
  bool express = false;
  MapRunStatus status = MapRunStatus::Running;
  Instant started;
  std::optional<Instant> stopped;
  std::int64_t concurrency = 0, tolerated_count = 0;
  double tolerated_percentage = 0;
  std::uint32_t redrives = 0;
  std::optional<Instant> redriven;
  // Once it has ended; before that they are counted from the children.
  MapRunCounts children, items;
  std::optional<Payload> output;
  std::optional<Failure> failure;
  bool operator==(const MapRunRow&) const = default;
};

// What became of one child of an EXPRESS run. The input is kept where something may still ask for it.
struct MapResultRow {
  std::uint32_t index = 0;  // of the child in its run
  std::string name;
  states::ExecutionStatus status = states::ExecutionStatus::Succeeded;
  std::uint32_t items = 1;
  Instant started, stopped;
  std::optional<Payload> input, output;
  std::optional<Failure> failure;
  bool operator==(const MapResultRow&) const = default;
};

class MapRunTable {
 public:
  virtual ~MapRunTable() = default;
  // Adds a run (its id is 0, and comes back) or replaces what is known of one.
  virtual Result<MapRunRow> put(MapRunRow run) = 0;
  virtual Result<MapRunRow> get(MapRunId id) = 0;              // NotFound
  virtual Result<MapRunRow> find(const std::string& arn) = 0;  // NotFound
  // Of one execution, newest first, those with an id below `before` (0: from the newest).
  virtual Result<std::vector<MapRunRow>> of(ExecutionId execution, MapRunId before, std::size_t limit) = 0;
  virtual Result<std::vector<MapRunRow>> running() = 0;
  // Durable on return, all or none; a result that is there already is replaced.
  virtual Status add_results(MapRunId run, std::span<const MapResultRow> results) = 0;
  // In order of the index, those from `first` on. Without documents: index, name, status, items and times.
  virtual Result<std::vector<MapResultRow>> results(MapRunId run, std::uint32_t first, std::size_t limit,
                                                    bool documents) = 0;
};

}  // namespace millrace::orchestrator
