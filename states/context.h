#pragma once
// The context object ($$) of a state, built when a path asks for it.
// Source: Step Functions developer guide, "Accessing execution data from the Context object".

#include <optional>

#include "definitions/expression.h"
#include "states/execution.h"

namespace millrace::states {

// The item of an iteration that is about to be selected: $$.Map.Item. The last two are of distributed Maps.
struct MapItem {
  std::uint32_t index = 0;
  JsonView value;
  std::optional<std::string> key = {};  // the member's name when the items are those of an object
  std::string_view source = {};         // "STATE_DATA", or the object that is read: "S3://bucket/key"
};

class FrameContext final : public definitions::Context {
 public:
  FrameContext(const Execution& execution, const Frame& frame, std::optional<MapItem> item = {})
      : execution_(execution), frame_(frame), item_(item) {}
  const Payload& object() const override;

 private:
  void write_map_item(JsonWriter& out) const;
  Payload mocked() const;
  const Execution& execution_;
  const Frame& frame_;
  std::optional<MapItem> item_;
  mutable std::optional<Payload> object_;
};

}  // namespace millrace::states
