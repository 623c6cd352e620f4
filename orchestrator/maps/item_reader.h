#pragma once
// Reads the items of a map run one after another: from the state's input, from a file (JSON, JSON lines,
// CSV), from a manifest of files, or from a listing of objects. Holds a buffer and one item, whatever the
// size of the file. One thread at a time; what goes wrong is the workflow's States.ItemReaderFailed. Source:
// Step Functions developer guide, "ItemReader (Map)"; RFC 4180 (CSV).

#include <memory>
#include <optional>
#include <string>

#include "base/failure.h"
#include "base/limits.h"
#include "definitions/nodes.h"
#include "orchestrator/maps/object_source.h"

namespace millrace::orchestrator {

struct Item {
  Payload value;
  std::optional<std::string> key = {};  // of a member of an object
};

class ItemReader {
 public:
  virtual ~ItemReader() = default;
  // The next item; nothing after the last one.
  virtual tl::expected<std::optional<Item>, Failure> next() = 0;
};

// The items of an array, or the members of an object, that is in memory.
std::unique_ptr<ItemReader> read_state_items(Payload items);
// What `reader` says, with its arguments as they came out. Opens on the first next(). `objects` and `reader`
// are borrowed.
//   max_items   0: all
std::unique_ptr<ItemReader> read_objects(ObjectSource& objects, const definitions::ItemReader& reader,
                                         const Payload& arguments, std::int64_t max_items,
                                         const Limits& limits);
// $$.Map.Item.Source of its items.
std::string source_name(const definitions::ItemReader& reader, const Payload& arguments);

}  // namespace millrace::orchestrator
