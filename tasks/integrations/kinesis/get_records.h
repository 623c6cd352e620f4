#pragma once
// GetRecords: from a token to records and the next token. A reading thread.

#include "tasks/integrations/kinesis/stream_store.h"
#include "tasks/integrations/service_answer.h"

namespace millrace::tasks::kinesis {

struct GotRecords {
  ServiceAnswer answer = Payload();
  std::string stream;  // whose they are; empty: it failed
  std::int64_t records = 0, bytes = 0;
  Millis behind{0};  // how far from the end of its shard it is
};
GotRecords get_records(StreamReader& reader, const std::string& secret, JsonView input, Instant now);

}  // namespace millrace::tasks::kinesis
