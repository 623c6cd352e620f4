#include "tasks/integrations/kinesis/get_records.h"

#include "base/encoding.h"
#include "tasks/integrations/kinesis/iterator.h"
#include "tasks/integrations/kinesis/operations.h"

namespace millrace::tasks::kinesis {
namespace {

constexpr std::int64_t kGetRecordsMax = 10'000;

std::string rfc_822(Instant time) {
  return format_http_date(time);
}

Checked<ReadFrom> place_in(const std::string& secret, JsonView input, Instant now, std::string& stream) {
  MR_TRY(token, text_in(input, "ShardIterator", 1, 1024));
  MR_TRY(limit, whole_in(input, "Limit", 1, kGetRecordsMax));
  const auto iterator = parse_iterator(token, secret);
  if (!iterator) return invalid_argument("Invalid ShardIterator.");
  if (iterator->issued + kIteratorLife < now)
    return service_error(
        "ExpiredIteratorException",
        "Iterator expired. The iterator was created at time " + rfc_822(iterator->issued) +
            " while right now it is " + rfc_822(now) +
            " which is further in the future than the tolerated delay of 300000 milliseconds.");
  stream = iterator->stream;
  ReadFrom from;
  from.shard = iterator->shard;
  from.position = iterator->position;
  from.records_max = static_cast<std::size_t>(limit.value_or(kGetRecordsMax));
  return from;
}

// Children of a shard that was read to its end, so that the reader goes on with them.
void write_children(JsonWriter& out, const Stream& stream, const Shard& shard) {
  out.key("ChildShards").begin_array();
  for (const Shard& one : stream.shards) {
    if (one.parent != shard.number && one.adjacent != shard.number) continue;
    out.begin_object().key("ShardId").string(shard_name(one.number)).key("ParentShards").begin_array();
    if (one.parent) out.string(shard_name(*one.parent));
    if (one.adjacent) out.string(shard_name(*one.adjacent));
    out.end_array().key("HashKeyRange").begin_object();
    out.key("StartingHashKey").string(decimal_of(one.low));
    out.key("EndingHashKey").string(decimal_of(one.high)).end_object().end_object();
  }
  out.end_array();
}

Checked<Payload> records_at(StreamReader& reader, const std::string& secret, const ReadFrom& from,
                            const std::string& stream_name, Instant now, GotRecords& got) {
  auto read = reader.read(from, now);
  if (!read && read.error().code == ErrorCode::NotFound)
    return service_error("ResourceNotFoundException", "Stream " + stream_name + " not found.");
  if (!read) return tl::unexpected<ServiceError>(read.error());
  JsonWriter out;
  std::size_t bytes = 0;
  for (const StreamRecord& record : read->records) bytes += record.data.size() + record.partition_key.size();
  out.reserve(bytes / 3 * 4 + read->records.size() * 192 + 512, read->records.size() * 9 + 16);
  out.begin_object().key("Records").begin_array();
  for (const StreamRecord& record : read->records) {
    out.begin_object();
    out.key("SequenceNumber").string(text_of(read->shard.sequence(record.position, record.arrived)));
    write_seconds(out, "ApproximateArrivalTimestamp", record.arrived);
    out.key("Data").string(base64_encode(record.data));
    out.key("PartitionKey").string(record.partition_key).end_object();
  }
  out.end_array();
  got.records = static_cast<std::int64_t>(read->records.size());
  got.bytes = static_cast<std::int64_t>(bytes);
  if (read->backlog() > 0)
    got.behind =
        std::max(Millis(0), now - (read->records.empty() ? read->latest : read->records.back().arrived));
  if (!read->end)
    out.key("NextShardIterator").string(token_of({from.shard, read->next, now, stream_name}, secret));
  out.key("MillisBehindLatest").number(std::int64_t{got.behind.count()});
  if (read->end) {
    MR_TRY(stream, reader.find(stream_name));
    if (stream) write_children(out, *stream, read->shard);
  }
  out.end_object();
  return out.finish();
}

}  // namespace

GotRecords get_records(StreamReader& reader, const std::string& secret, JsonView input, Instant now) {
  GotRecords got;
  std::string stream;
  const auto from = place_in(secret, input, now, stream);
  if (!from) {
    got.answer = tl::unexpected<ServiceError>(from.error());
    return got;
  }
  got.answer = records_at(reader, secret, *from, stream, now, got);
  if (got.answer) got.stream = stream;
  return got;
}

}  // namespace millrace::tasks::kinesis
