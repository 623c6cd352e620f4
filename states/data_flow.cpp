#include "states/data_flow.h"

#include <charconv>

namespace millrace::states {
namespace {

using definitions::QueryLanguage;

Failure over_limit(const Turn& turn, FrameId id, std::string_view what) {
  Failure failure;
  failure.error = std::string(error_names::kDataLimitExceeded);
  failure.cause = "The state/task '" + turn.node(id).name + "' " + std::string(what) +
                  " with a size exceeding the maximum number of bytes service limit.";
  return failure;
}

bool is_jsonata(const Turn& turn, FrameId id) {
  return turn.node(id).language == QueryLanguage::JsonAta;
}

Outcome within_limit(const Turn& turn, FrameId id, Outcome output) {
  if (output && output->size() > turn.limits().payload_bytes_max)
    return tl::unexpected<Failure>(over_limit(turn, id, "returned a result"));
  return output;
}

Outcome evaluate_in(const definitions::PayloadTemplate& part, const definitions::Scope& scope,
                    const Turn& turn, FrameId id) {
  Outcome value = part.evaluate(scope);
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  return value;
}

// All variables of an execution, but for those of `frame` that are about to be replaced.
std::size_t bytes_of_variables(const Execution& execution, FrameId frame, JsonView replaced) {
  std::size_t bytes = 0;
  for (const auto& [id, other] : execution.frames) {
    for (const auto& [name, value] : other.variables) {
      if (id != frame || !replaced.find(name)) bytes += value.size();
    }
  }
  return bytes;
}

// The variables to set; nothing when there is no Assign.
tl::expected<std::optional<Payload>, Failure> evaluate_assign(
    const std::optional<definitions::Assign>& assign, const definitions::Scope& scope, const Turn& turn,
    FrameId id) {
  if (!assign) return std::optional<Payload>();
  MR_TRY(values, evaluate_in(assign->values, scope, turn, id));
  std::size_t bytes = 0;
  for (const auto [key, value] : values.view().members()) {
    if (value.text().size() > turn.limits().variable_bytes_max)
      return tl::unexpected<Failure>(over_limit(turn, id, "assigned the variable '" + key.string() + "'"));
    bytes += value.text().size();
  }
  if (bytes > turn.limits().assign_bytes_max ||
      bytes + bytes_of_variables(turn.execution(), id, values.view()) > turn.limits().variables_bytes_max)
    return tl::unexpected<Failure>(over_limit(turn, id, "assigned variables"));
  return std::optional<Payload>(std::move(values));
}

// A ResultPath (of a state or a catcher) applied to the frame's raw input.
Outcome apply_result_path(const definitions::ResultPathField& field, const Payload& raw_input,
                          const Payload& result) {
  switch (field.kind) {
    case definitions::ResultPathField::Kind::Whole:
      return result;
    case definitions::ResultPathField::Kind::Discard:
      return raw_input;
    case definitions::ResultPathField::Kind::Path:
      break;
  }
  return field.path->put(raw_input, result);
}

Outcome jsonpath_output(const Turn& turn, FrameId id, const Payload& result) {
  const definitions::DataFlow& flow = turn.node(id).flow;
  Outcome selected = result;
  if (flow.result_selector) {
    selected = apply_template(*flow.result_selector, result, turn, id);
    if (!selected) return selected;
  }
  turn.note(Stage::AfterResultSelector, *selected);
  Outcome joined = apply_result_path(flow.result_path, turn.frame(id).data, *selected);
  if (!joined) return tl::unexpected<Failure>(in_state(turn, id, joined.error()));
  turn.note(Stage::AfterResultPath, *joined);
  return within_limit(turn, id, apply_path(flow.output_path, *joined, turn, id));
}

// Output of a JSONata state, or what stands for it.
Outcome output_or(const std::optional<definitions::PayloadTemplate>& output, const Payload& otherwise,
                  const definitions::Scope& scope, const Turn& turn, FrameId id) {
  return within_limit(turn, id, output ? evaluate_in(*output, scope, turn, id) : Outcome(otherwise));
}

}  // namespace

Failure in_state(const Turn& turn, FrameId id, Failure failure) {
  const Frame& frame = turn.frame(id);
  failure.cause = "An error occurred while executing the state '" + frame.program->node(frame.node).name +
                  "' (entered at the event id #" + std::to_string(frame.entered) + "). " + failure.cause;
  return failure;
}

std::optional<std::int64_t> integer_of(JsonView value) {
  if (value.is_number()) return value.integer();
  if (!value.is_string()) return std::nullopt;
  const std::string text = value.string();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Outcome apply_path(const definitions::PathField& field, const Payload& document, const Turn& turn,
                   FrameId id) {
  switch (field.kind) {
    case definitions::PathField::Kind::Whole:
      return document;
    case definitions::PathField::Kind::Null:
      return Payload::empty_object();
    case definitions::PathField::Kind::Path:
      break;
  }
  const FrameScope at(turn.execution(), turn.frame(id), document, turn.environment());
  Outcome value = field.path->evaluate(at.scope);
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  return value;
}

Outcome apply_template(const definitions::PayloadTemplate& payload_template, const Payload& input,
                       const Turn& turn, FrameId id) {
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
  return evaluate_in(payload_template, at.scope, turn, id);
}

Outcome evaluate(const definitions::Query& query, std::string_view expected, const Turn& turn, FrameId id) {
  const FrameScope at(turn.execution(), turn.frame(id), turn.frame(id).data, turn.environment());
  Outcome value = query.evaluate(at.scope);
  if (value && !expected.empty() && name_of(value->view().kind()) != expected)
    value = tl::unexpected<Failure>(query.unexpected(expected, *value));
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  return value;
}

tl::expected<std::int64_t, Failure> whole_number(const definitions::Query& query, const Turn& turn,
                                                 FrameId id) {
  MR_TRY(value, evaluate(query, "number", turn, id));
  if (const auto number = value.view().integer()) return *number;
  return tl::unexpected<Failure>(in_state(turn, id, query.unexpected("integer", value)));
}

Outcome after_input_path(const Turn& turn, FrameId id) {
  Outcome input = apply_path(turn.node(id).flow.input_path, turn.frame(id).data, turn, id);
  if (input) turn.note(Stage::AfterInputPath, *input);
  return input;
}

Outcome effective_input(const Turn& turn, FrameId id) {
  const definitions::DataFlow& flow = turn.node(id).flow;
  if (is_jsonata(turn, id)) {
    const Payload& raw = turn.frame(id).data;
    Outcome arguments = flow.arguments ? apply_template(*flow.arguments, raw, turn, id) : Outcome(raw);
    if (arguments) turn.note(Stage::AfterArguments, *arguments);
    return arguments;
  }
  Outcome input = after_input_path(turn, id);
  if (input && flow.parameters) input = apply_template(*flow.parameters, *input, turn, id);
  if (input) turn.note(Stage::AfterParameters, *input);
  return input;
}

tl::expected<Exit, Failure> state_exit(const Turn& turn, FrameId id, const Payload& result) {
  const definitions::DataFlow& flow = turn.node(id).flow;
  FrameScope at(turn.execution(), turn.frame(id), result, turn.environment());
  at.scope.result = &result;
  MR_TRY(assigned, evaluate_assign(flow.assign, at.scope, turn, id));
  MR_TRY(output, is_jsonata(turn, id) ? output_or(flow.output, result, at.scope, turn, id)
                                      : jsonpath_output(turn, id, result));
  return Exit{std::move(output), std::move(assigned)};
}

tl::expected<Exit, Failure> choice_exit(const Turn& turn, FrameId id, const Payload& input,
                                        const std::optional<definitions::PayloadTemplate>& output,
                                        const std::optional<definitions::Assign>& assign) {
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
  MR_TRY(assigned, evaluate_assign(assign, at.scope, turn, id));
  MR_TRY(left, is_jsonata(turn, id) ? output_or(output, input, at.scope, turn, id)
                                    : apply_path(turn.node(id).flow.output_path, input, turn, id));
  return Exit{std::move(left), std::move(assigned)};
}

tl::expected<Exit, Failure> catch_exit(const Turn& turn, FrameId id, const definitions::Catcher& catcher,
                                       const Payload& error_output) {
  FrameScope at(turn.execution(), turn.frame(id), error_output, turn.environment());
  at.scope.error_output = &error_output;
  MR_TRY(assigned, evaluate_assign(catcher.assign, at.scope, turn, id));
  if (is_jsonata(turn, id)) {
    MR_TRY(output, output_or(catcher.output, error_output, at.scope, turn, id));
    return Exit{std::move(output), std::move(assigned)};
  }
  Outcome joined = apply_result_path(catcher.result_path, turn.frame(id).data, error_output);
  if (!joined) return tl::unexpected<Failure>(in_state(turn, id, joined.error()));
  MR_TRY(output, within_limit(turn, id, std::move(joined)));
  return Exit{std::move(output), std::move(assigned)};
}

}  // namespace millrace::states
