// Inline Map: one frame an iteration, at most MaxConcurrency at a time, started in order of the items.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

tl::unexpected<Failure> runtime_error(std::string cause) {
  return failed(error_names::kRuntime, std::move(cause));
}

// How many iterations may run at once; 0 in the definition means as many as the engine allows.
tl::expected<std::uint32_t, Failure> concurrency_of(const Turn& turn, FrameId id, const definitions::Map& map,
                                                    const Payload& input) {
  std::int64_t asked = map.max_concurrency.value.value_or(0);
  if (map.max_concurrency.path) {
    const FrameContext context(turn.execution(), turn.frame(id));
    const definitions::Variables none;
    const Outcome value = map.max_concurrency.path->evaluate({input, context, none, turn.environment()});
    if (!value) return tl::unexpected<Failure>(value.error());
    const auto number = value->view().is_number() ? value->view().integer() : std::nullopt;
    if (!number) {
      const std::string shown =
          value->view().is_string() ? value->view().string() : std::string(value->text());
      return runtime_error("The MaxConcurrencyPath field refers to value \"" + shown +
                           "\" which is not a valid integer: " + map.max_concurrency.path->source());
    }
    if (*number < 0) return runtime_error("MaxConcurrency cannot be negative.");
    asked = *number;
  }
  if (turn.inspected()) turn.note(Stage::MaxConcurrency, Payload::literal(std::to_string(asked)));
  const auto most = static_cast<std::int64_t>(turn.limits().inline_map_concurrency_max);
  return static_cast<std::uint32_t>(asked == 0 ? most : std::min(asked, most));
}

// The input of iteration `index`: ItemSelector, which sees the state's input and $$.Map.Item, or the item
// itself.
Outcome item_input(const Turn& turn, FrameId id, const definitions::Map& map, const Payload& input,
                   std::uint32_t index) {
  const auto& work = std::get<waiting::ForItems>(turn.frame(id).waiting);
  const JsonView item = work.items.view().at(index);
  if (!map.item_selector) return Payload::of(item);
  const FrameContext context(turn.execution(), turn.frame(id), MapItem{index, item});
  const definitions::Variables none;
  Outcome selected = map.item_selector->evaluate({input, context, none, turn.environment()});
  if (!selected) return tl::unexpected<Failure>(in_state(turn, id, selected.error()));
  return selected;
}

// Starts iterations until the concurrency is used up or no item is left. A failing ItemSelector fails the
// state.
//   after   the event that the first of them follows when an iteration has made room for it
Step start_iterations(Turn& turn, FrameId id, std::optional<EventNumber> after = {}) {
  const auto& map = std::get<definitions::Map>(turn.node(id).kind);
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error()};
  for (;;) {
    const auto& work = std::get<waiting::ForItems>(turn.frame(id).waiting);
    if (work.next_index >= work.length || work.running.size() >= work.concurrency) return step::Waits{};
    const std::uint32_t index = work.next_index;
    Outcome item = item_input(turn, id, map, *input, index);
    if (!item) {
      abort_children(turn, id);
      return step::Failed{item.error()};
    }
    turn.emit(EventType::MapIterationStarted, id,
              detail::IterationStarted{turn.node(id).name, index, std::move(*item)}, after);
    turn.runnable.push_back(std::get<waiting::ForItems>(turn.frame(id).waiting).running.at(index));
  }
}

Step all_done(Turn& turn, FrameId id) {
  JsonWriter result;
  result.begin_array();
  for (const auto& output : std::get<waiting::ForItems>(turn.frame(id).waiting).outputs)
    result.value(*output);
  result.end_array();
  turn.emit(EventType::MapStateSucceeded, id, std::monostate{});
  return complete(turn, id, result.finish());
}

}  // namespace

Step enter_map(Turn& turn, FrameId id, const definitions::Map& map) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error()};
  Outcome items = apply_path(map.items_path, *input, turn, id);
  if (!items) return step::Failed{items.error()};
  if (!items->view().is_array()) {
    Failure failure;
    failure.error = std::string(error_names::kRuntime);
    failure.cause = "Map state input must be an array but was: " + std::string(items->text());
    return step::Failed{in_state(turn, id, std::move(failure))};
  }
  turn.note(Stage::AfterItemsPath, *items);
  const auto concurrency = concurrency_of(turn, id, map, *input);
  if (!concurrency) return step::Failed{in_state(turn, id, concurrency.error())};
  const std::uint32_t length = items->view().size();
  turn.emit(EventType::MapStateStarted, id, detail::MapStarted{length, std::move(*items), *concurrency});
  return length == 0 ? all_done(turn, id) : start_iterations(turn, id);
}

Step iteration_ended(Turn& turn, FrameId parent, FrameId child, const Payload& output) {
  const Frame& frame = turn.frame(child);
  const EventNumber last = frame.last;
  turn.emit(EventType::MapIterationSucceeded, parent,
            detail::IterationEnded{turn.node(parent).name, frame.index, output}, frame.last);
  const auto& work = std::get<waiting::ForItems>(turn.frame(parent).waiting);
  if (work.next_index >= work.length && work.running.empty()) return all_done(turn, parent);
  return start_iterations(turn, parent, last);
}

void iteration_failed(Turn& turn, FrameId parent, FrameId child) {
  const Frame& frame = turn.frame(child);
  turn.emit(EventType::MapIterationFailed, parent,
            detail::IterationEnded{turn.node(parent).name, frame.index, {}}, frame.last);
}

}  // namespace millrace::states
