#pragma once
// The operations of Kinesis's API over the store: requests and answers as documents in the shapes of its JSON
// protocol. Within a transaction of the caller's; the store's thread alone (GetRecords: get_records.h).
// Source: Kinesis Data Streams API reference. Not here: consumers with a rate of their own
// (RegisterStreamConsumer), encryption by keys, enhanced monitoring, resource policies.

#include <functional>
#include <string_view>

#include "tasks/integrations/group_store.h"
#include "tasks/integrations/kinesis/stream_store.h"
#include "tasks/integrations/service_call.h"

namespace millrace::tasks::kinesis {

inline constexpr std::size_t kRecordBytesMax = 10 << 20;   // data and partition key
inline constexpr std::size_t kRequestBytesMax = 10 << 20;  // of PutRecords
inline constexpr std::int64_t kPutRecordsMax = 500;
inline constexpr std::size_t kShardsMax = 1'000, kStreamsMax = 1'000;
inline constexpr std::uint32_t kOnDemandShards = 4;

struct Session {
  StreamStore& store;
  Instant now;
  const ServicePlace& place;
  const std::string& secret;  // of tokens
  // Told of records that were put: the stream, how many, their bytes.
  std::function<void(const std::string& stream, std::int64_t records, std::int64_t bytes)> incoming;
};

struct OperationRow {
  std::string_view name;  // "PutRecord"
  ServiceAnswer (*run)(Session& session, JsonView input);
  bool writes = false;  // carried out once for a key
};
const OperationRow* find_operation(std::string_view name);  // null: there is none

// stream_operations.cpp
ServiceAnswer create_stream(Session& session, JsonView input);
ServiceAnswer delete_stream(Session& session, JsonView input);
ServiceAnswer describe_limits(Session& session, JsonView input);
ServiceAnswer describe_stream(Session& session, JsonView input);
ServiceAnswer describe_stream_summary(Session& session, JsonView input);
ServiceAnswer list_streams(Session& session, JsonView input);
ServiceAnswer decrease_retention(Session& session, JsonView input);
ServiceAnswer increase_retention(Session& session, JsonView input);
ServiceAnswer update_stream_mode(Session& session, JsonView input);
ServiceAnswer add_tags_to_stream(Session& session, JsonView input);
ServiceAnswer remove_tags_from_stream(Session& session, JsonView input);
ServiceAnswer list_tags_for_stream(Session& session, JsonView input);
ServiceAnswer list_tags_for_resource(Session& session, JsonView input);
// shard_operations.cpp
ServiceAnswer list_shards(Session& session, JsonView input);
ServiceAnswer merge_shards(Session& session, JsonView input);
ServiceAnswer split_shard(Session& session, JsonView input);
ServiceAnswer update_shard_count(Session& session, JsonView input);
ServiceAnswer get_shard_iterator(Session& session, JsonView input);
// put_records.cpp
ServiceAnswer put_record(Session& session, JsonView input);
ServiceAnswer put_records(Session& session, JsonView input);

// ---- What they share

JsonView member(JsonView input, std::string_view name);      // absent when it is null
std::string text_of(JsonView input, std::string_view name);  // empty when it is no string
// A member that must be there and be a string of so many characters. ValidationException.
Checked<std::string> text_in(JsonView input, std::string_view name, std::size_t min, std::size_t max);
// Nothing: it is absent. ValidationException when it is no whole number in the range.
Checked<std::optional<std::int64_t>> whole_in(JsonView input, std::string_view name, std::int64_t min,
                                              std::int64_t max);
std::optional<Instant> time_in(JsonView input, std::string_view name);
Checked<Stream*> stream_in(Session& session, JsonView input);  // by StreamName or StreamARN
tl::unexpected<ServiceError> invalid_argument(std::string message);
tl::unexpected<ServiceError> not_a_valid(std::string message);  // ValidationException
tl::unexpected<ServiceError> no_such_shard(const Session& session, const Stream& stream, std::string_view id);
std::string stream_arn(const ServicePlace& place, std::string_view name);
void write_seconds(JsonWriter& out, std::string_view name, Instant time);
void write_shard(JsonWriter& out, const Shard& shard);

}  // namespace millrace::tasks::kinesis
