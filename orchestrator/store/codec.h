#pragma once
// The packed form of the events that one commit adds to one execution: one row, versioned and checksummed.
// Each distinct document is written once; one that differs from an earlier one only in the middle is written
// as the difference (documents that grow field by field cost what changed). Names are written once too.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "states/event.h"

namespace millrace::orchestrator {

std::string encode_events(std::span<const states::Event> events);
// The events, equal to what was encoded. DataLoss for bytes that encode_events of this or an older version
// did not write.
Result<std::vector<states::Event>> decode_events(std::string_view row);

}  // namespace millrace::orchestrator
