#pragma once
// ConsumerPlan: what reads a stream or a queue and hands batches on, as it is carried out: an event source
// mapping, a pipe, a delivery stream, compiled from their records in bus.db. Values; any thread.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "service/bus/bus_store.h"
#include "tasks/numeric/stream_forest.h"
#include "triggers/pattern.h"
#include "triggers/target_input.h"

namespace millrace::streams {

namespace kind {
inline constexpr std::string_view kMapping = "mapping", kPipe = "pipe", kDelivery = "firehose",
                                  kPlace = "place";
}  // namespace kind

// The enrichment of ours: scores of a random cut forest (docs/streams.md).
inline constexpr std::string_view kForestArn = "arn:aws:millrace:::random-cut-forest";

// Where a delivery stream writes its objects, and when.
struct ObjectPlan {
  std::string bucket, prefix, extension;
  bool gzip = false, newline = false;
};

struct ForestPlan {
  tasks::ForestSettings settings;
  std::vector<std::string> fields;  // names of numbers in a record's data; "a.b" is b inside a
};

struct ConsumerPlan {
  std::string key;   // "pipe/NAME", "mapping/UUID", "firehose/NAME": names it in places and keys
  std::string name;  // readable
  std::string arn;
  std::string generation;  // of this name: who is made anew begins anew
  bool enabled = true;
  bool pipe = false;  // events in the form of pipes, else of mappings
  bool queue = false;
  std::string source_arn, source;  // source: the stream's or queue's name
  std::optional<Instant> from;     // records that came then or later; nothing: all that are there
  std::size_t batch_records = 100, batch_bytes = 6 << 20;
  Millis window{0};
  int parallel = 1;
  int attempts_max = -1;          // after the first; -1: for ever
  std::optional<Millis> age_max;  // of a record that failed
  bool bisect = false, item_failures = false;
  std::vector<triggers::Pattern> filters;
  std::string on_failure, enrichment, target;
  std::string partition_key, message_group;  // of targets that are streams, FIFO queues
  std::optional<triggers::TargetInput> enrichment_input, target_input;
  std::optional<ForestPlan> forest;
  std::optional<ObjectPlan> objects;
};

// InvalidArgument says what the record asks for that can't be.
Result<ConsumerPlan> compile_plan(std::string_view kind, const std::string& key, const Json& record,
                                  const bus::BusPlace& place);

// Erases the places that a consumer kept. Store thread.
void erase_places(bus::Records& records, const std::string& plan_key);

// "arn:aws:sqs:REGION:ACCOUNT:NAME": sqs, and NAME; of streams what follows "stream/". Empty: it is none.
std::string service_of_arn(std::string_view arn);
std::string resource_of_arn(std::string_view arn);

}  // namespace millrace::streams
