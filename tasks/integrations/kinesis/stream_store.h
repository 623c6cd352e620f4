#pragma once
// StreamStore: streams, their shards and records in SQLite. The records of one request for one shard are one
// row (docs/decisions/0017): what makes a row per record slow is the row. Streams and shards are in memory,
// too. Within a transaction of the caller's; the store's thread alone.
// StreamReader: what is committed, on a connection of its own. Any thread.

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sqlite.h"
#include "tasks/integrations/kinesis/numbers.h"

namespace millrace::tasks::kinesis {

extern const char* const kStreamsSchema;

struct Shard {
  std::int64_t id = 0;  // of all shards there ever were
  std::uint32_t number = 0;
  HashKey low = 0, high = kHashKeyMax;
  std::optional<std::uint32_t> parent, adjacent;
  Instant created;
  std::int64_t first = 1, next = 1;  // positions: of its first record, of the one that comes next
  std::optional<Instant> closed;

  SequenceNumber sequence(std::int64_t position, Instant arrived) const {
    return {to_millis(created) / 1000, position, to_millis(arrived) / 1000, number};
  }
};

struct Stream {
  std::int64_t id = 0;
  std::string name;
  Instant created;
  std::int64_t retention_hours = 24;
  bool on_demand = false;
  std::map<std::string, std::string> tags;
  std::vector<Shard> shards;  // by number

  const Shard* shard(std::uint32_t number) const {
    return number < shards.size() ? &shards[number] : nullptr;
  }
  std::vector<const Shard*> open_shards() const;  // by hash key
};

struct NewRecord {
  std::string_view partition_key, data;
  HashKey hash = 0;
};
struct Placed {
  std::uint32_t shard = 0;
  std::int64_t position = 0;
};

// One record as it is read.
struct StreamRecord {
  std::int64_t position = 0;
  Instant arrived;
  std::string partition_key, data;
};
struct ReadFrom {
  std::int64_t shard = 0;     // id
  std::int64_t position = 0;  // the first that is wanted
  std::size_t records_max = 10'000, bytes_max = 10 << 20;
};
struct ReadRecords {
  Shard shard;  // as it is now
  std::int64_t stream = 0;
  std::vector<StreamRecord> records;
  std::int64_t next = 0;  // the position behind what was read
  bool end = false;       // the shard is closed and all of it was read
  Instant latest;         // when its newest record came; the epoch: it has none
  std::int64_t backlog() const { return std::max<std::int64_t>(0, shard.next - next); }
};

class StreamStore {
 public:
  static Result<StreamStore> open(Database& database);

  Stream* find(std::string_view name);  // null: there is none
  const std::map<std::string, Stream, std::less<>>& all() const { return streams_; }
  // The name must be free; `shards` of even ranges, or with their ranges, ids given here.
  Status create(Stream stream, std::uint32_t shards);
  Status update(const Stream& stream);  // retention, mode, tags
  Status drop(const std::string& name);
  // The open ones are closed, the new one has their keys and comes behind their records.
  Status replace(Stream& stream, const std::vector<std::uint32_t>& closed, std::vector<Shard> made,
                 Instant now);
  // Each to the shard of its hash key, in their order.
  Result<std::vector<Placed>> append(Stream& stream, const std::vector<NewRecord>& records, Instant now);
  // The position of the first record that came then or later; of the next one when none did.
  Result<std::int64_t> position_at(const Shard& shard, Instant time);
  // Removes what is older than its stream keeps; a piece at a time. How many rows.
  Result<std::int64_t> trim(Instant now);

  Result<std::optional<std::string>> note(std::string_view key);
  Status keep_note(std::string_view key, std::string_view value);

  Status forget();  // what was written was undone: reads all anew

 private:
  Status insert_shard(const Stream& stream, Shard& shard);
  Database* database_ = nullptr;
  std::map<std::string, Stream, std::less<>> streams_;
  Statement add_stream_, update_stream_, drop_stream_, add_shard_, update_shard_, note_gone_, drop_shards_,
      add_rows_, at_time_, trim_, trim_gone_, settle_gone_, find_note_, keep_note_, streams_query_,
      shards_query_;
};

class StreamReader {
 public:
  static Result<std::unique_ptr<StreamReader>> open(const std::string& path);
  Result<std::optional<Stream>> find(std::string_view name);
  // NotFound: there is no such shard any more. Records older than the stream keeps are passed over.
  Result<ReadRecords> read(const ReadFrom& from, Instant now);
  Result<std::int64_t> position_at(const Shard& shard, Instant time);
  Result<std::optional<std::string>> note(std::string_view key);

 private:
  std::mutex mutex_;  // over what follows
  Database database_;
  Statement stream_, shards_, shard_, rows_, latest_, at_time_, note_;
};

}  // namespace millrace::tasks::kinesis
