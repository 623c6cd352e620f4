// Inline Map: one frame an iteration, at most MaxConcurrency at a time, started in order of the items.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

tl::unexpected<Failure> runtime_error(const Turn& turn, FrameId id, std::string cause) {
  return tl::unexpected<Failure>(
      in_state(turn, id, Failure{std::string(error_names::kRuntime), std::move(cause)}));
}

// How many iterations may run at once; 0 in the definition means as many as the engine allows.
tl::expected<std::uint32_t, Failure> concurrency_of(const Turn& turn, FrameId id, const definitions::Map& map,
                                                    const Payload& input) {
  std::int64_t asked = map.max_concurrency.value.value_or(0);
  if (const auto& query = map.max_concurrency.query) {
    MR_TRY(number, whole_number(*query, turn, id));
    if (number < 0) {
      Failure failure{std::string(error_names::kQueryEvaluationError), "MaxConcurrency cannot be negative."};
      failure.location = query->location();
      return tl::unexpected<Failure>(in_state(turn, id, std::move(failure)));
    }
    asked = number;
  }
  if (map.max_concurrency.path) {
    const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
    const Outcome value = map.max_concurrency.path->evaluate(at.scope);
    if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
    const auto number = integer_of(value->view());
    if (!number) {
      const std::string shown =
          value->view().is_string() ? value->view().string() : std::string(value->text());
      return runtime_error(turn, id,
                           "The MaxConcurrencyPath field refers to value \"" + shown +
                               "\" which is not a valid integer: " + map.max_concurrency.path->source());
    }
    if (*number < 0) return runtime_error(turn, id, "MaxConcurrency cannot be negative.");
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
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment(), MapItem{index, item});
  Outcome selected = map.item_selector->evaluate(at.scope);
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
      return fail_state(turn, id, item.error());
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

// The state's items: at ItemsPath, given by Items, or the input itself.
Outcome items_of(const Turn& turn, FrameId id, const definitions::Map& map, const Payload& input) {
  const bool jsonata = turn.node(id).language == definitions::QueryLanguage::JsonAta;
  Outcome items =
      map.items ? apply_template(*map.items, input, turn, id) : apply_path(map.items_path, input, turn, id);
  if (!items || items->view().is_array()) return items;
  if (const definitions::Query* query = map.items ? map.items->whole() : nullptr)
    return tl::unexpected<Failure>(in_state(turn, id, query->unexpected("array", *items)));
  return tl::unexpected<Failure>(
      in_state(turn, id,
               Failure{std::string(jsonata ? error_names::kQueryEvaluationError : error_names::kRuntime),
                       "Map state input must be an array but was: " + std::string(items->text())}));
}

// A Map that fails before it has started shows MapStateFailed only where an expression failed.
step::Failed fail_entry(Turn& turn, FrameId id, Failure failure) {
  step::Failed failed = fail_state(turn, id, std::move(failure));
  failed.fork = turn.node(id).language == definitions::QueryLanguage::JsonAta;
  return failed;
}

}  // namespace

Step enter_map(Turn& turn, FrameId id, const definitions::Map& map) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error()};
  Outcome items = items_of(turn, id, map, *input);
  if (!items) return fail_entry(turn, id, items.error());
  turn.note(Stage::AfterItemsPath, *items);
  const auto concurrency = concurrency_of(turn, id, map, *input);
  if (!concurrency) return fail_entry(turn, id, concurrency.error());
  const std::uint32_t length = items->view().size();
  turn.emit(EventType::MapStateStarted, id, detail::MapStarted{length, std::move(*items), *concurrency});
  return length == 0 ? all_done(turn, id) : start_iterations(turn, id);
}

Step go_on_with_items(Turn& turn, FrameId id) {
  return start_iterations(turn, id);
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
