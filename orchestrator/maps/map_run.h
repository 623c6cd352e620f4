#pragma once
// What MapRuns knows of one run. Inside MapRuns only.

#include "orchestrator/maps/map_runs.h"

namespace millrace::orchestrator {

struct MapRuns::Run {
  TaskKey key;
  MapRunRow row;       // its counts are those of ended children only, until it ends
  MachinePtr machine;  // what children run
  MachinePtr whole;    // keeps `map` alive
  const definitions::Map* map = nullptr;
  states::MapRunPlan plan;
  Payload items;

  std::uint32_t redrives = 0;  // that the execution asks for
  bool opened = false, closing = false;
  bool stopped = false;            // the execution no longer waits for it
  std::optional<Failure> failure;  // why no more children are started
  bool pumping = false, again = false;

  std::shared_ptr<ItemReader> reader;
  std::string source;
  bool reading = false, exhausted = false;
  std::deque<Item> read;         // not selected yet
  std::uint32_t next_item = 0;   // number of the first of them
  std::uint64_t skip_items = 0;  // of children that exist
  std::optional<states::Batcher> batcher;
  std::deque<states::Batcher::Batch> ready;
  std::int64_t ready_items = 0;

  struct Child {
    std::uint32_t index = 0, items = 0;
    std::string name;  // these three of EXPRESS children
    Instant started;
    Payload input;
  };
  std::unordered_map<ExecutionId, Child> running;
  std::int64_t running_items = 0;
  std::deque<std::pair<ExecutionId, Child>> to_redrive;  // STANDARD children that failed before the redrive
  std::int64_t to_redrive_items = 0;
  std::uint32_t next_child = 0;
  std::vector<bool> saved;            // EXPRESS: which children have a result from before
  std::vector<MapResultRow> unsaved;  // EXPRESS
  bool saving = false;

  // Outputs by child while all succeeded, were seen and are small enough to be the state's output.
  bool outputs_kept = true, too_large = false;
  std::vector<std::optional<Payload>> outputs;
  std::size_t output_bytes = 0;

  std::unique_ptr<ResultArray> array;
  std::shared_ptr<ResultFiles> files;

  // Ended before the run was redriven, maybe in the same millisecond, and not well: it runs again.
  static bool runs_again(const MapRunRow& row, states::ExecutionStatus status,
                         std::optional<Instant> stopped) {
    return row.redriven && stopped && *stopped <= *row.redriven &&
           status != states::ExecutionStatus::Succeeded && status != states::ExecutionStatus::Running;
  }
  bool all_known() const { return exhausted && read.empty(); }
  bool wants_files() const { return map && map->writer && map->writer->exports; }
};

}  // namespace millrace::orchestrator
