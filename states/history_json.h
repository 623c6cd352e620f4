#pragma once
// A visible event in the shape of GetExecutionHistory: {"timestamp", "type", "id", "previousEventId",
// "…EventDetails"}.

#include "base/payload.h"
#include "states/event.h"

namespace millrace::states {

// Appends one event as an object. `timestamp` is epoch seconds with milliseconds (1700000000.123), as AWS
// sends it.
void write_event(JsonWriter& out, const Event& event);

}  // namespace millrace::states
