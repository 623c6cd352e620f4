#pragma once
// Input and output processing: in JSONPath states InputPath, Parameters, ResultSelector, ResultPath and
// OutputPath, in JSONata states Arguments and Output; in both Assign. Source: Amazon States Language, "Input
// and Output Processing", "Variables".

#include "states/context.h"
#include "states/turn.h"

namespace millrace::states {

// InputPath, then Parameters, on the frame's raw input; Arguments of a JSONata state.
Outcome effective_input(const Turn& turn, FrameId id);
// InputPath alone.
Outcome after_input_path(const Turn& turn, FrameId id);

// What a state is left with. All expressions see the variables as they are before any of them is set.
struct Exit {
  Payload output;
  std::optional<Payload> assigned = {};  // an object, when there is anything to assign
};
// Of a state that has done its work: ResultSelector on the result, ResultPath into the raw input, OutputPath;
// or Output. DataLimitExceeded for an output or variables beyond the limit.
tl::expected<Exit, Failure> state_exit(const Turn& turn, FrameId id, const Payload& result);
// Of a choice rule, or of a Choice when no rule holds. `input`: after InputPath.
tl::expected<Exit, Failure> choice_exit(const Turn& turn, FrameId id, const Payload& input,
                                        const std::optional<definitions::PayloadTemplate>& output,
                                        const std::optional<definitions::Assign>& assign);
// Of a catcher.
tl::expected<Exit, Failure> catch_exit(const Turn& turn, FrameId id, const definitions::Catcher& catcher,
                                       const Payload& error_output);

Outcome apply_path(const definitions::PathField& field, const Payload& document, const Turn& turn,
                   FrameId id);
Outcome apply_template(const definitions::PayloadTemplate& payload_template, const Payload& input,
                       const Turn& turn, FrameId id);
// The value of an expression, which must be a "number", "string", "array", …; any value when `expected` is
// empty.
Outcome evaluate(const definitions::Query& query, std::string_view expected, const Turn& turn, FrameId id);
// The same of an expression that gives a whole number.
tl::expected<std::int64_t, Failure> whole_number(const definitions::Query& query, const Turn& turn,
                                                 FrameId id);
// A number, or a text that is one as it stands: what a path to a number may name.
std::optional<std::int64_t> integer_of(JsonView value);

// "An error occurred while executing the state 'S' (entered at the event id #N). " in front of the cause.
Failure in_state(const Turn& turn, FrameId id, Failure failure);

}  // namespace millrace::states
