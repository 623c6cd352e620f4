#pragma once
// Input and output processing of JSONPath states: InputPath, Parameters, ResultSelector, ResultPath,
// OutputPath. Source: Amazon States Language, "Input and Output Processing".

#include "states/context.h"
#include "states/turn.h"

namespace millrace::states {

// InputPath, then Parameters, on the frame's raw input.
Outcome effective_input(const Turn& turn, FrameId id);
// InputPath alone.
Outcome after_input_path(const Turn& turn, FrameId id);
// ResultSelector on the result, ResultPath into the raw input, OutputPath. DataLimitExceeded for an output
// beyond the limit.
Outcome state_output(const Turn& turn, FrameId id, const Payload& result);
// A ResultPath (of a state or a catcher) applied to the frame's raw input.
Outcome apply_result_path(const definitions::ResultPathField& field, const Payload& raw_input,
                          const Payload& result);
Outcome apply_path(const definitions::PathField& field, const Payload& document, const Turn& turn,
                   FrameId id);
Outcome apply_template(const definitions::PayloadTemplate& payload_template, const Payload& input,
                       const Turn& turn, FrameId id);

// "An error occurred while executing the state 'S' (entered at the event id #N). " in front of the cause.
Failure in_state(const Turn& turn, FrameId id, Failure failure);
// The state's output or result is beyond the payload limit.
Failure too_large(const Turn& turn, FrameId id);

}  // namespace millrace::states
