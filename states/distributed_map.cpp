#include "states/distributed_map.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "definitions/variables.h"
#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

template <class T>
using Read = tl::expected<std::optional<T>, Failure>;

std::optional<double> decimal_of(JsonView value) {
  if (value.is_number()) return value.number();
  if (!value.is_string()) return std::nullopt;
  const std::string text = value.string();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

// A field that is given as it stands, through a path to a number (or a text that is one), or by an
// expression.
template <class T, class Field>
Read<T> field_value(const Turn& turn, FrameId id, const Field& field, std::string_view name,
                    const Payload& input, std::optional<T> (*read)(JsonView), std::string_view kind) {
  if (field.value) return std::optional<T>(field.value);
  if (field.query) {
    Outcome value = evaluate(*field.query, "number", turn, id);
    if (!value) return tl::unexpected<Failure>(value.error());
    if (const std::optional<T> number = read(value->view())) return number;
    return tl::unexpected<Failure>(in_state(turn, id, field.query->unexpected(kind, *value)));
  }
  if (!field.path) return std::optional<T>();
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
  const Outcome value = field.path->evaluate(at.scope);
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  const std::optional<T> number = read(value->view());
  if (number) return number;
  const std::string shown = value->view().is_string() ? value->view().string() : std::string(value->text());
  return tl::unexpected<Failure>(in_state(
      turn, id,
      {std::string(error_names::kRuntime), "The " + std::string(name) + "Path field refers to value \"" +
                                               shown + "\" which is not a valid " + std::string(kind) + ": " +
                                               field.path->source()}));
}

Read<std::int64_t> whole(const Turn& turn, FrameId id, const definitions::NumberOrPath& field,
                         std::string_view name, const Payload& input) {
  return field_value<std::int64_t>(turn, id, field, name, input, integer_of, "integer");
}

tl::unexpected<Failure> wrong(const Turn& turn, FrameId id, std::string cause) {
  return tl::unexpected<Failure>(in_state(turn, id, {std::string(error_names::kRuntime), std::move(cause)}));
}

Read<std::int64_t> not_negative(const Turn& turn, FrameId id, const definitions::NumberOrPath& field,
                                std::string_view name, const Payload& input) {
  Read<std::int64_t> value = whole(turn, id, field, name, input);
  if (value && *value && **value < 0) return wrong(turn, id, std::string(name) + " cannot be negative.");
  return value;
}

tl::expected<double, Failure> percentage(const Turn& turn, FrameId id, const definitions::Map& map,
                                         const Payload& input) {
  const auto value = field_value<double>(turn, id, map.tolerated_failure_percentage,
                                         "ToleratedFailurePercentage", input, decimal_of, "float");
  if (!value) return tl::unexpected<Failure>(value.error());
  const double percent = value->value_or(0);
  if (percent < 0 || percent > 100)
    return wrong(turn, id, "ToleratedFailurePercentage must be between 0 and 100.");
  return percent;
}

tl::expected<std::optional<Payload>, Failure> evaluated(
    const Turn& turn, FrameId id, const std::optional<definitions::PayloadTemplate>& part,
    const Payload& input) {
  if (!part) return std::optional<Payload>();
  Outcome value = apply_template(*part, input, turn, id);
  if (!value) return tl::unexpected<Failure>(value.error());
  return std::optional<Payload>(std::move(*value));
}

// Everything about the run that depends on the state's input.
tl::expected<MapRunPlan, Failure> make_plan(Turn& turn, FrameId id, const definitions::Map& map,
                                            const Payload& input) {
  MapRunPlan plan;
  MR_TRY(concurrency, not_negative(turn, id, map.max_concurrency, "MaxConcurrency", input));
  plan.concurrency = concurrency.value_or(0);
  MR_TRY(count, not_negative(turn, id, map.tolerated_failure_count, "ToleratedFailureCount", input));
  plan.tolerated_count = count.value_or(0);
  MR_TRY(percent, percentage(turn, id, map, input));
  plan.tolerated_percentage = percent;
  if (map.reader) {
    MR_TRY(items, whole(turn, id, map.reader->max_items, "MaxItems", input));
    plan.max_items = items;
    MR_TRY(arguments, evaluated(turn, id, map.reader->arguments, input));
    plan.reader = arguments ? arguments : Payload::empty_object();
  }
  if (map.batcher) {
    MR_TRY(items, not_negative(turn, id, map.batcher->max_items, "MaxItemsPerBatch", input));
    MR_TRY(bytes, not_negative(turn, id, map.batcher->max_bytes, "MaxInputBytesPerBatch", input));
    plan.batch_items = items;
    plan.batch_bytes = bytes;
    MR_TRY(shared, evaluated(turn, id, map.batcher->input, input));
    plan.batch_input = shared;
  }
  if (map.writer && map.writer->exports) {
    MR_TRY(arguments, evaluated(turn, id, map.writer->arguments, input));
    plan.writer = arguments;
  }
  return plan;
}

// arn:aws:states:REGION:ACCOUNT:mapRun:MACHINE/LABEL:UUID
std::string run_arn(const Turn& turn, const definitions::Map& map) {
  const ExecutionIdentity& who = turn.execution().identity;
  const std::string& machine = who.machine_arn;
  std::size_t end = 0;
  for (int i = 0; i < 5 && end != std::string::npos; ++i) end = machine.find(':', end + 1);
  const Environment& environment = turn.environment();
  Random random(mix(environment.seed, ++environment.draws));
  return machine.substr(0, end) + ":mapRun:" + who.machine_name.substr(0, who.machine_name.find('/')) + "/" +
         map.label + ":" + uuid_v4(random);
}

// The items that are in the state's input; of an object, its members.
Outcome distributed_items(Turn& turn, FrameId id, const definitions::Map& map, const Payload& input) {
  Outcome items =
      map.items ? apply_template(*map.items, input, turn, id) : apply_path(map.items_path, input, turn, id);
  if (!items || items->view().is_array() || items->view().is_object()) return items;
  if (const definitions::Query* query = map.items ? map.items->whole() : nullptr)
    return tl::unexpected<Failure>(in_state(turn, id, query->unexpected("array", *items)));
  return wrong(turn, id, "Map state input must be an array but was: " + std::string(items->text()));
}

// Whether a definition says what could be said only since November 2024: JSONata, or variables.
bool is_of_2024(const Program& program) {
  const auto assigns = [](const auto& list) {
    return std::any_of(list.begin(), list.end(), [](const auto& entry) { return entry.assign.has_value(); });
  };
  const auto newer = [&](const definitions::Node& node) {
    const auto* choice = std::get_if<definitions::Choice>(&node.kind);
    if (node.language == definitions::QueryLanguage::JsonAta || node.flow.assign ||
        assigns(node.errors.catchers) || (choice && assigns(choice->branches)))
      return true;
    const auto inner = definitions::inner_programs(node);
    return std::any_of(inner.begin(), inner.end(),
                       [](const auto& part) { return is_of_2024(*part.program); });
  };
  return std::any_of(program.nodes.begin(), program.nodes.end(), newer);
}

void note_numbers(const Turn& turn, const definitions::Map& map, const MapRunPlan& plan) {
  if (!turn.inspected()) return;
  turn.note(Stage::MaxConcurrency, Payload::literal(std::to_string(plan.concurrency)));
  if (map.tolerated_failure_count.given())
    turn.note(Stage::ToleratedFailureCount, Payload::literal(std::to_string(plan.tolerated_count)));
  if (map.tolerated_failure_percentage.given())
    turn.note(Stage::ToleratedFailurePercentage, JsonWriter().number(plan.tolerated_percentage).finish());
}

}  // namespace

MapRunPlan MapRunPlan::of(const Payload& document) {
  MapRunPlan plan;
  const JsonView root = document.view();
  const auto part = [&](std::string_view name, std::optional<Payload>& into) {
    if (const JsonView value = root.find(name)) into = Payload::of(value);
  };
  const auto number = [&](std::string_view name, std::optional<std::int64_t>& into) {
    if (const JsonView value = root.find(name)) into = value.integer();
  };
  part("Reader", plan.reader);
  part("Writer", plan.writer);
  part("BatchInput", plan.batch_input);
  number("MaxItems", plan.max_items);
  number("BatchItems", plan.batch_items);
  number("BatchBytes", plan.batch_bytes);
  if (const JsonView value = root.find("Concurrency")) plan.concurrency = value.integer().value_or(0);
  if (const JsonView value = root.find("ToleratedCount")) plan.tolerated_count = value.integer().value_or(0);
  if (const JsonView value = root.find("ToleratedPercentage")) plan.tolerated_percentage = value.number();
  return plan;
}

Payload MapRunPlan::document() const {
  JsonWriter out;
  out.begin_object();
  const auto part = [&](std::string_view name, const std::optional<Payload>& value) {
    if (value) out.key(name).value(*value);
  };
  const auto number = [&](std::string_view name, const std::optional<std::int64_t>& value) {
    if (value) out.key(name).number(*value);
  };
  part("Reader", reader);
  number("MaxItems", max_items);
  part("Writer", writer);
  out.key("Concurrency").number(concurrency);
  out.key("ToleratedCount").number(tolerated_count);
  out.key("ToleratedPercentage").number(tolerated_percentage);
  number("BatchItems", batch_items);
  number("BatchBytes", batch_bytes);
  part("BatchInput", batch_input);
  out.end_object();
  return out.finish();
}

Step enter_distributed_map(Turn& turn, FrameId id, const definitions::Map& map) {
  Outcome input = after_input_path(turn, id);
  if (!input) return fail_state(turn, id, input.error());
  Payload items;
  std::uint32_t length = 0;
  if (!map.reader) {
    Outcome found = distributed_items(turn, id, map, *input);
    if (!found) return fail_state(turn, id, found.error());
    items = std::move(*found);
    length = items.view().size();
    turn.note(Stage::AfterItemsPath, items);
  }
  turn.emit(EventType::MapStateStarted, id, detail::MapStarted{length, Payload(), 0});
  const auto plan = make_plan(turn, id, map, *input);
  if (!plan) return fail_state(turn, id, plan.error());
  note_numbers(turn, map, *plan);
  const std::string arn = run_arn(turn, map);
  turn.emit(EventType::MapRunStarted, id, detail::MapRunStarted{arn, plan->document(), std::move(items)});
  turn.request(map_run_of(turn.frame(id)));
  return step::Waits{};
}

Step map_run_ended(Turn& turn, FrameId id, const Outcome& outcome) {
  if (!outcome) {
    turn.emit(EventType::MapRunFailed, id, detail::Failed{outcome.error()});
    return step::Failed{outcome.error()};
  }
  // AWS changed how it numbers the exit between June and November 2024: it followed MapRunSucceeded, and
  // follows the event before that now. Where the recordings of both times can be told apart, each is kept
  // (docs/language.md).
  const EventNumber before = turn.frame(id).last;
  turn.emit(EventType::MapRunSucceeded, id, std::monostate{});
  turn.emit(EventType::MapStateSucceeded, id, std::monostate{});
  return complete(turn, id, *outcome, is_of_2024(turn.program()) ? std::optional(before) : std::nullopt);
}

Step redrive_map_run(Turn& turn, FrameId id, const waiting::ForMapRun& run) {
  turn.emit(EventType::MapRunRedriven, id, detail::MapRunRedriven{run.arn, run.redrives + 1});
  turn.request(map_run_of(turn.frame(id)));
  return step::Waits{};
}

effect::StartMapRun map_run_of(const Frame& frame) {
  const auto& run = std::get<waiting::ForMapRun>(frame.waiting);
  const definitions::Node& node = frame.program->node(frame.node);
  return {{frame.id, frame.entered, frame.attempt},
          &std::get<definitions::Map>(node.kind),
          node.name,
          run.arn,
          run.plan,
          run.items,
          run.redrives};
}

Outcome selected_item(const Turn& turn, FrameId map, const MapItem& item) {
  const auto& selector = std::get<definitions::Map>(turn.node(map).kind).item_selector;
  if (!selector) {
    if (!item.key) return Payload::of(item.value);
    JsonWriter out;
    out.begin_object().key("Key").string(*item.key).key("Value").value(item.value).end_object();
    return out.finish();
  }
  const Outcome input = after_input_path(turn, map);
  if (!input) return input;
  const FrameScope at(turn.execution(), turn.frame(map), *input, turn.environment(), item);
  Outcome selected = selector->evaluate(at.scope);
  if (!selected) return tl::unexpected<Failure>(in_state(turn, map, selected.error()));
  return selected;
}

Outcome select_item(const Program& program, Execution& execution, FrameId map, const MapItem& item,
                    const Environment& environment) {
  Turn turn(program, std::move(execution), environment);
  Outcome selected = selected_item(turn, map, item);
  execution = std::move(turn).finish().next;
  return selected;
}

Batcher::Batcher(const MapRunPlan& plan, std::size_t payload_bytes_max)
    : batches_(plan.batches()),
      items_max_(~std::size_t{0}),
      bytes_max_(payload_bytes_max),
      input_(plan.batch_input) {
  if (plan.batch_items.value_or(0) > 0) items_max_ = static_cast<std::size_t>(*plan.batch_items);
  if (plan.batch_bytes.value_or(0) > 0)
    bytes_max_ = std::min(bytes_max_, static_cast<std::size_t>(*plan.batch_bytes));
  frame_bytes_ = sizeof("{\"Items\":[]}") - 1;
  if (input_) frame_bytes_ += input_->size() + sizeof("\"BatchInput\":,") - 1;
}

Batcher::Batch Batcher::take() {
  JsonWriter out;
  out.begin_object();
  if (input_) out.key("BatchInput").value(*input_);
  out.key("Items").begin_array();
  for (const Payload& item : items_) out.value(item);
  out.end_array().end_object();
  Batch batch{out.finish(), static_cast<std::uint32_t>(items_.size())};
  items_.clear();
  bytes_ = 0;
  return batch;
}

tl::expected<std::vector<Batcher::Batch>, Failure> Batcher::add(Payload item) {
  std::vector<Batch> full;
  const std::size_t alone = (batches_ ? frame_bytes_ : 0) + item.size();
  if (alone > bytes_max_) {
    return failed(error_names::kDataLimitExceeded,
                  "An item of " + std::to_string(item.size()) +
                      " bytes exceeds the maximum number of bytes of a child's input, which is " +
                      std::to_string(bytes_max_) + ".");
  }
  if (!batches_) {
    full.push_back({std::move(item), 1});
    return full;
  }
  if (!items_.empty() && frame_bytes_ + bytes_ + item.size() > bytes_max_) full.push_back(take());
  bytes_ += item.size() + 1;
  items_.push_back(std::move(item));
  if (items_.size() >= items_max_) full.push_back(take());
  return full;
}

std::optional<Batcher::Batch> Batcher::rest() {
  if (items_.empty()) return std::nullopt;
  return take();
}

}  // namespace millrace::states
