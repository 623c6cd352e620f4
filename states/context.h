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
  FrameContext(const Execution& execution, const Frame& frame, const Environment& environment,
               std::optional<MapItem> item = {})
      : execution_(execution), frame_(frame), environment_(environment), item_(std::move(item)) {}
  const Payload& object() const override;

 private:
  void write_map_item(JsonWriter& out) const;
  void write_token(JsonWriter& out) const;
  Payload mocked() const;
  const Execution& execution_;
  const Frame& frame_;
  const Environment& environment_;
  std::optional<MapItem> item_;
  mutable std::optional<Payload> object_;
};

// The variables that a state of the frame can read: its own frame's, then those of the frames above.
class FrameVariables final : public definitions::Variables {
 public:
  FrameVariables(const Execution& execution, const Frame& frame) : execution_(execution), frame_(frame) {}
  const Payload* find(std::string_view name) const override;

 private:
  const Execution& execution_;
  const Frame& frame_;
};

// All that an expression of the frame's state can see; borrows everything. `scope.result` and
// `scope.error_output` are the caller's to set.
struct FrameScope {
  FrameContext context;
  FrameVariables variables;
  definitions::Scope scope;

  FrameScope(const Execution& execution, const Frame& frame, const Payload& input,
             const Environment& environment, std::optional<MapItem> item = {})
      : context(execution, frame, environment, std::move(item)),
        variables(execution, frame),
        scope{input, context, variables, environment, &frame.data} {}
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;
};

}  // namespace millrace::states
