#pragma once
// Distributed Map: what its map run needs to know, made when the state is entered and kept in the event
// MapRunStarted; and what becomes of an item on its way into a child execution. Reading items, starting
// children and counting them is the shell's (orchestrator/maps). Pure; any thread.
// Source: Step Functions developer guide, "Using Map state in Distributed mode".

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "states/context.h"
#include "states/turn.h"

namespace millrace::states {

// The state's fields as they came out for this visit. A document in the event, so that it can grow.
struct MapRunPlan {
  std::optional<Payload> reader;          // ItemReader's Parameters
  std::optional<std::int64_t> max_items;  // of the reader; 0: all
  std::optional<Payload> writer;          // ResultWriter's Parameters
  std::int64_t concurrency = 0;           // 0: as many as the engine allows
  std::int64_t tolerated_count = 0;       // failed items; with the next one 0: none
  double tolerated_percentage = 0;        // of all items
  std::optional<std::int64_t> batch_items, batch_bytes;
  std::optional<Payload> batch_input;
  bool operator==(const MapRunPlan&) const = default;

  static MapRunPlan of(const Payload& document);
  Payload document() const;
  bool batches() const { return batch_items || batch_bytes; }
};

// $$.Map.Item.Source of items that are in the state's input.
inline constexpr std::string_view kItemsOfState = "STATE_DATA";

// The run that the frame waits for, as the shell is to start it (or find it again).
effect::StartMapRun map_run_of(const Frame& frame);

// What a child gets for one item: the ItemSelector, evaluated where the Map state stands, or the item itself
// ({"Key": …, "Value": …} for a member of an object). The execution is handed back unchanged.
Outcome select_item(const Program& program, Execution& execution, FrameId map, const MapItem& item,
                    const Environment& environment);

// The same inside a decision.
Outcome selected_item(const Turn& turn, FrameId map, const MapItem& item);

// Groups selected items into the inputs of children, in order. Without a batcher every item is a batch.
class Batcher {
 public:
  struct Batch {
    Payload input;
    std::uint32_t items = 0;
  };
  Batcher(const MapRunPlan& plan, std::size_t payload_bytes_max);
  // The batches that are full with this item. DataLimitExceeded when it does not fit into a batch alone.
  tl::expected<std::vector<Batch>, Failure> add(Payload item);
  std::optional<Batch> rest();  // the last one, when no item is left

 private:
  Batch take();

  bool batches_;
  std::size_t items_max_, bytes_max_;
  std::optional<Payload> input_;
  std::size_t frame_bytes_;  // of {"BatchInput":…,"Items":[]}
  std::vector<Payload> items_;
  std::size_t bytes_ = 0;  // of items_ with their commas
};

}  // namespace millrace::states
