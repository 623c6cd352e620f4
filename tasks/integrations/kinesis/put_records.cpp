#include "base/encoding.h"
#include "base/utf8.h"
#include "tasks/integrations/kinesis/operations.h"

namespace millrace::tasks::kinesis {
namespace {

// A record of a request, decoded; NewRecord borrows from it.
struct Decoded {
  std::string partition_key, data;
  HashKey hash = 0;
};

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

Checked<Decoded> record_in(JsonView entry) {
  if (!entry.is_object()) return service_error("SerializationException", "a record must be an object");
  Decoded record;
  MR_TRY(key, text_in(entry, "PartitionKey", 1, 1024));
  if (characters_in(key) > 256)
    return not_a_valid("1 validation error detected: Value '" + key.substr(0, 64) +
                       "…' at 'partitionKey' failed to satisfy constraint: Member must have length less than "
                       "or equal to 256");
  const JsonView data = member(entry, "Data");
  if (!data) return not_a_valid("The parameter Data is missing");
  auto bytes = data.is_string()
                   ? base64_decode(data.node().escaped
                                       ? data.string()
                                       : std::string_view(data.text()).substr(1, data.text().size() - 2))
                   : std::nullopt;
  if (!bytes) return service_error("SerializationException", "Data is no Base64");
  if (bytes->size() + key.size() > kRecordBytesMax)
    return not_a_valid(
        "1 validation error detected: Value at 'data' failed to satisfy constraint: Member "
        "must have length less than or equal to " +
        std::to_string(kRecordBytesMax));
  if (const JsonView explicit_key = member(entry, "ExplicitHashKey")) {
    const auto hash = explicit_key.is_string() ? parse_hash_key(explicit_key.string()) : std::nullopt;
    if (!hash)
      return invalid_argument(
          "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
          "Specified value was " +
          std::string(explicit_key.text()));
    record.hash = *hash;
  } else {
    record.hash = hash_of(key);
  }
  record.partition_key = std::move(key);
  record.data = *std::move(bytes);
  return record;
}

Checked<std::vector<Placed>> put_decoded(Session& session, Stream& stream,
                                         const std::vector<Decoded>& decoded) {
  std::vector<NewRecord> records;
  std::int64_t bytes = 0;
  for (const Decoded& one : decoded) {
    records.push_back({one.partition_key, one.data, one.hash});
    bytes += static_cast<std::int64_t>(one.data.size() + one.partition_key.size());
  }
  MR_TRY(placed, session.store.append(stream, records, session.now));
  session.incoming(stream.name, static_cast<std::int64_t>(placed.size()), bytes);
  return placed;
}

void write_place(JsonWriter& out, const Session& session, const Stream& stream, const Placed& placed) {
  const Shard& shard = stream.shards[placed.shard];
  out.key("SequenceNumber").string(text_of(shard.sequence(placed.position, session.now)));
  out.key("ShardId").string(shard_name(placed.shard));
}

}  // namespace

ServiceAnswer put_record(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  // Numbers always grow here, so what they are to be ordered behind only has to be one.
  if (const std::string behind = text_of(input, "SequenceNumberForOrdering");
      !behind.empty() && !parse_sequence_number(behind))
    return invalid_argument("SequenceNumberForOrdering " + behind.substr(0, 100) +
                            " is not a sequence number of this stream");
  MR_TRY(decoded, record_in(input));
  std::vector<Decoded> one;
  one.push_back(std::move(decoded));
  MR_TRY(placed, put_decoded(session, *stream, one));
  JsonWriter out;
  out.begin_object();
  write_place(out, session, *stream, placed.front());
  out.key("EncryptionType").string("NONE").end_object();
  return out.finish();
}

ServiceAnswer put_records(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  const JsonView entries = member(input, "Records");
  if (!entries || !entries.is_array()) return not_a_valid("Records must be a list");
  if (entries.size() < 1 || entries.size() > kPutRecordsMax)
    return not_a_valid(
        "1 validation error detected: Value at 'records' failed to satisfy constraint: Member "
        "must have length " +
        std::string(entries.size() < 1 ? "greater than or equal to 1" : "less than or equal to 500"));
  std::vector<Decoded> decoded;
  decoded.reserve(entries.size());
  std::size_t bytes = 0;
  for (const JsonView entry : entries.elements()) {
    // As with AWS, what is wrong with the form of one is wrong with the request.
    MR_TRY(record, record_in(entry));
    bytes += record.data.size() + record.partition_key.size();
    if (bytes > kRequestBytesMax)
      return invalid_argument("Records size exceeds " + std::to_string(kRequestBytesMax >> 20) + " MB limit");
    decoded.push_back(std::move(record));
  }
  MR_TRY(placed, put_decoded(session, *stream, decoded));
  JsonWriter out;
  out.reserve(placed.size() * 128 + 128, placed.size() * 5 + 8);
  out.begin_object().key("FailedRecordCount").number(std::int64_t{0}).key("Records").begin_array();
  for (const Placed& one : placed) {
    out.begin_object();
    write_place(out, session, *stream, one);
    out.end_object();
  }
  out.end_array().key("EncryptionType").string("NONE").end_object();
  return out.finish();
}

}  // namespace millrace::tasks::kinesis
