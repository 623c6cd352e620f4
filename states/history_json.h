#pragma once
// A visible event in the shape of GetExecutionHistory: {"timestamp", "type", "id", "previousEventId",
// "…EventDetails"}.

#include "base/payload.h"
#include "states/event.h"

namespace millrace::states {

// Appends one event as an object. `timestamp` is epoch seconds with milliseconds (1700000000.123), as AWS
// sends it.
// Without `data`: inputs, outputs and parameters are left out (includeExecutionData).
void write_event(JsonWriter& out, const Event& event, bool data = true);
// Appends what the event's "…EventDetails" hold, as an object; an empty one where there are none.
void write_details(JsonWriter& out, const Event& event, bool data = true);

}  // namespace millrace::states
