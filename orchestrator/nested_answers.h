#pragma once
// What tasks about executions answer: members in PascalCase; times of optimized integrations are
// milliseconds since 1970, those of SDK integrations RFC 3339. Pure.
// Source: the recorded answers of states:startExecution and aws-sdk:sfn.

#include "base/failure.h"
#include "orchestrator/engine.h"
#include "orchestrator/queries.h"

namespace millrace::orchestrator {

// Billing is by memory in steps of 64 MB and by time in steps of 100 ms; here it costs nothing.
struct ExpressBill {
  std::int64_t duration_millis = 0, memory_megabytes = 0;
};
ExpressBill bill_of(Instant started, Instant stopped);

// StartExecution's. `request_id` is part of the metadata that optimized integrations carry.
Payload started_answer(const Started& started, bool sdk, const std::string& request_id);
// DescribeExecution's, as a .sync task answers it. `parsed`: input and output as documents (.sync:2), not as
// text.
Payload child_answer(const ExecutionView& view, bool parsed);
// StartSyncExecution's, of an Express execution that ended at `stopped`.
Payload sync_answer(const Started& started, const std::string& machine_arn, const Payload& input,
                    const Ended& ended, Instant stopped);
// DescribeExecution's, of the SDK integration.
Payload described_answer(const ExecutionView& view, std::string_view not_redrivable);
Payload listed_answer(const ExecutionPage& page, const EngineSettings& settings);
// {"StopDate": …}
Payload time_answer(std::string_view member, Instant time);

// An error of the API as the task's failure. `name`: as "InvalidToken".
Failure api_failure(std::string_view name, const std::string& message, bool sdk,
                    const std::string& request_id);

}  // namespace millrace::orchestrator
