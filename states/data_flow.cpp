#include "states/data_flow.h"

namespace millrace::states {
namespace {

const definitions::Variables kNoVariables;

}  // namespace

Failure in_state(const Turn& turn, FrameId id, Failure failure) {
  const Frame& frame = turn.frame(id);
  failure.cause = "An error occurred while executing the state '" + frame.program->node(frame.node).name +
                  "' (entered at the event id #" + std::to_string(frame.entered) + "). " + failure.cause;
  return failure;
}

Failure too_large(const Turn& turn, FrameId id) {
  Failure failure;
  failure.error = std::string(error_names::kDataLimitExceeded);
  failure.cause = "The state/task '" + turn.node(id).name +
                  "' returned a result with a size exceeding the maximum number of bytes service limit.";
  return failure;
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
  const FrameContext context(turn.execution(), turn.frame(id));
  const definitions::Scope scope{document, context, kNoVariables, turn.environment()};
  Outcome value = field.path->evaluate(scope);
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  return value;
}

Outcome apply_template(const definitions::PayloadTemplate& payload_template, const Payload& input,
                       const Turn& turn, FrameId id) {
  const FrameContext context(turn.execution(), turn.frame(id));
  const definitions::Scope scope{input, context, kNoVariables, turn.environment()};
  Outcome value = payload_template.evaluate(scope);
  if (!value) return tl::unexpected<Failure>(in_state(turn, id, value.error()));
  return value;
}

Outcome after_input_path(const Turn& turn, FrameId id) {
  Outcome input = apply_path(turn.node(id).flow.input_path, turn.frame(id).data, turn, id);
  if (input) turn.note(Stage::AfterInputPath, *input);
  return input;
}

Outcome effective_input(const Turn& turn, FrameId id) {
  Outcome input = after_input_path(turn, id);
  const definitions::DataFlow& flow = turn.node(id).flow;
  if (input && flow.parameters) input = apply_template(*flow.parameters, *input, turn, id);
  if (input) turn.note(Stage::AfterParameters, *input);
  return input;
}

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

Outcome state_output(const Turn& turn, FrameId id, const Payload& result) {
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
  Outcome output = apply_path(flow.output_path, *joined, turn, id);
  if (output && output->size() > turn.limits().payload_bytes_max)
    return tl::unexpected<Failure>(too_large(turn, id));
  return output;
}

}  // namespace millrace::states
