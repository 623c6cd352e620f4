#include "tasks/integrations/kinesis/stream_store.h"

#include <algorithm>
#include <iterator>

#include "base/payload.h"

namespace millrace::tasks::kinesis {

const char* const kStreamsSchema = R"(
CREATE TABLE IF NOT EXISTS stream (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
  retention_hours INTEGER NOT NULL, on_demand INTEGER NOT NULL, tags TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS shard (id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL,
  number INTEGER NOT NULL, low TEXT NOT NULL, high TEXT NOT NULL, parent INTEGER, adjacent INTEGER,
  created INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL, closed INTEGER,
  UNIQUE (stream, number));
CREATE TABLE IF NOT EXISTS records (shard INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL,
  arrived INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (shard, last));
CREATE INDEX IF NOT EXISTS records_by_time ON records (shard, arrived, last);
CREATE TABLE IF NOT EXISTS gone (shard INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS note (key TEXT PRIMARY KEY, value BLOB NOT NULL);
)";

namespace {

constexpr std::int64_t kTrimRows = 500;  // of a shard, in one piece
constexpr const char* kStreamsSql = "SELECT id, name, created, retention_hours, on_demand, tags FROM stream";
constexpr const char* kStreamSql =
    "SELECT id, name, created, retention_hours, on_demand, tags FROM stream WHERE name = ?";
constexpr const char* kShardsSql =
    "SELECT id, number, low, high, parent, adjacent, created, first, next, closed FROM shard "
    "WHERE stream = ? ORDER BY number";
constexpr const char* kShardSql =
    "SELECT shard.id, number, low, high, parent, adjacent, shard.created, first, next, closed, stream, "
    "retention_hours FROM shard JOIN stream ON stream.id = shard.stream WHERE shard.id = ?";
using Statements = std::initializer_list<std::pair<Statement*, const char*>>;

Status prepare_all(Database& database, Statements statements) {
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    *statement = std::move(prepared);
  }
  return {};
}

void put_u32(std::string& out, std::size_t value) {
  const auto n = static_cast<std::uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(n >> shift & 0xFF);
}

// The records of one row, from its bytes. False: they are not whole.
bool unpack_row(std::string_view bytes, std::int64_t first, Instant arrived, const ReadFrom& from,
                std::size_t& bytes_read, std::vector<StreamRecord>& into) {
  const auto u32 = [&](std::size_t at) {
    std::uint32_t n = 0;
    for (std::size_t i = 4; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
    return std::size_t{n};
  };
  for (std::int64_t position = first; !bytes.empty(); ++position) {
    if (bytes.size() < 8) return false;
    const std::size_t key = u32(0), data = u32(4);
    if (bytes.size() - 8 < key || bytes.size() - 8 - key < data) return false;
    if (position >= from.position) {
      const bool full = into.size() >= from.records_max || bytes_read + key + data > from.bytes_max;
      if (full && !into.empty()) return true;
      bytes_read += key + data;
      into.push_back(
          {position, arrived, std::string(bytes.substr(8, key)), std::string(bytes.substr(8 + key, data))});
    }
    bytes.remove_prefix(8 + key + data);
  }
  return true;
}

std::string tags_text(const std::map<std::string, std::string>& tags) {
  JsonWriter out;
  out.begin_object();
  for (const auto& [key, value] : tags) out.key(key).string(value);
  out.end_object();
  return std::string(out.finish().text());
}

std::map<std::string, std::string> tags_of(std::string_view text) {
  std::map<std::string, std::string> tags;
  const auto parsed = Payload::parse(text);
  if (parsed && parsed->view().is_object())
    for (const auto [key, value] : parsed->view().members()) tags[key.string()] = value.string();
  return tags;
}

Stream stream_of(const Statement& row) {
  Stream stream;
  stream.id = row.integer(0);
  stream.name = row.text(1);
  stream.created = from_millis(row.integer(2));
  stream.retention_hours = row.integer(3);
  stream.on_demand = row.integer(4) != 0;
  stream.tags = tags_of(row.text(5));
  return stream;
}

Shard shard_of(const Statement& row) {
  Shard shard;
  shard.id = row.integer(0);
  shard.number = static_cast<std::uint32_t>(row.integer(1));
  shard.low = parse_hash_key(row.text(2)).value_or(0);
  shard.high = parse_hash_key(row.text(3)).value_or(kHashKeyMax);
  if (!row.is_null(4)) shard.parent = static_cast<std::uint32_t>(row.integer(4));
  if (!row.is_null(5)) shard.adjacent = static_cast<std::uint32_t>(row.integer(5));
  shard.created = from_millis(row.integer(6));
  shard.first = row.integer(7);
  shard.next = row.integer(8);
  shard.closed = row.time(9);
  return shard;
}

Result<std::int64_t> position_of(Statement& at_time, const Shard& shard, Instant time) {
  at_time.bind(1, shard.id).bind(2, to_millis(time));
  MR_TRY(row, at_time.step());
  const std::int64_t position = row ? at_time.integer(0) : shard.next;
  at_time.reset();
  return position;
}

constexpr const char* kAtTime =
    "SELECT first FROM records WHERE shard = ? AND arrived >= ? ORDER BY arrived, last LIMIT 1";

}  // namespace

std::vector<const Shard*> Stream::open_shards() const {
  std::vector<const Shard*> open;
  for (const Shard& one : shards)
    if (!one.closed) open.push_back(&one);
  std::sort(open.begin(), open.end(), [](const Shard* a, const Shard* b) { return a->low < b->low; });
  return open;
}

Result<StreamStore> StreamStore::open(Database& database) {
  StreamStore store;
  store.database_ = &database;
  MR_DO(prepare_all(
      database,
      {
          {&store.add_stream_, "INSERT INTO stream VALUES (NULL, ?, ?, ?, ?, ?) RETURNING id"},
          {&store.update_stream_,
           "UPDATE stream SET retention_hours = ?, on_demand = ?, tags = ? WHERE id = ?"},
          {&store.drop_stream_, "DELETE FROM stream WHERE id = ?"},
          {&store.add_shard_, "INSERT INTO shard VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"},
          {&store.update_shard_, "UPDATE shard SET next = ?, closed = ? WHERE id = ?"},
          {&store.drop_shards_, "DELETE FROM shard WHERE stream = ?"},
          {&store.add_rows_, "INSERT INTO records VALUES (?, ?, ?, ?, ?)"},
          {&store.at_time_, kAtTime},
          {&store.trim_,
           "DELETE FROM records WHERE rowid IN "
           "(SELECT rowid FROM records WHERE shard = ? AND arrived < ? ORDER BY arrived, last LIMIT ?)"},
          {&store.find_note_, "SELECT value FROM note WHERE key = ?"},
          {&store.keep_note_,
           "INSERT INTO note VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"},
          {&store.streams_query_, kStreamsSql},
          {&store.shards_query_, kShardsSql},
          // The records of streams that are gone go a piece at a time.
          {&store.note_gone_, "INSERT INTO gone SELECT id FROM shard WHERE stream = ?"},
          {&store.trim_gone_,
           "DELETE FROM records WHERE rowid IN "
           "(SELECT rowid FROM records WHERE shard IN (SELECT shard FROM gone LIMIT 1) LIMIT ?)"},
          {&store.settle_gone_,
           "DELETE FROM gone WHERE NOT EXISTS (SELECT 1 FROM records WHERE records.shard = gone.shard)"},
      }));
  MR_DO(store.forget());
  return store;
}

Status StreamStore::forget() {
  std::map<std::string, Stream, std::less<>> found;
  for (;;) {
    MR_TRY(row, streams_query_.step());
    if (!row) break;
    Stream stream = stream_of(streams_query_);
    found.emplace(stream.name, std::move(stream));
  }
  streams_query_.reset();
  for (auto& [name, stream] : found) {
    shards_query_.bind(1, stream.id);
    for (;;) {
      MR_TRY(row, shards_query_.step());
      if (!row) break;
      stream.shards.push_back(shard_of(shards_query_));
    }
    shards_query_.reset();
  }
  streams_ = std::move(found);
  return {};
}

Stream* StreamStore::find(std::string_view name) {
  const auto found = streams_.find(name);
  return found == streams_.end() ? nullptr : &found->second;
}

Status StreamStore::insert_shard(const Stream& stream, Shard& shard) {
  const std::string low = decimal_of(shard.low), high = decimal_of(shard.high);
  add_shard_.bind(1, stream.id).bind(2, std::int64_t{shard.number});
  add_shard_.bind(3, std::string_view(low)).bind(4, std::string_view(high));
  const auto bind_number = [&](int index, const std::optional<std::uint32_t>& number) {
    if (number)
      add_shard_.bind(index, std::int64_t{*number});
    else
      add_shard_.bind_null(index);
  };
  bind_number(5, shard.parent), bind_number(6, shard.adjacent);
  add_shard_.bind(7, to_millis(shard.created)).bind(8, shard.first).bind(9, shard.next);
  add_shard_.bind_time(10, shard.closed);
  MR_TRY(row, add_shard_.step());
  if (row) shard.id = add_shard_.integer(0);
  return add_shard_.run();
}

Status StreamStore::create(Stream stream, std::uint32_t shards) {
  const std::string tags = tags_text(stream.tags);
  add_stream_.bind(1, std::string_view(stream.name)).bind(2, to_millis(stream.created));
  add_stream_.bind(3, stream.retention_hours).bind(4, std::int64_t{stream.on_demand});
  add_stream_.bind(5, std::string_view(tags));
  MR_TRY(row, add_stream_.step());
  if (row) stream.id = add_stream_.integer(0);
  MR_DO(add_stream_.run());
  const HashKey width = kHashKeyMax / shards;
  for (std::uint32_t i = 0; i < shards; ++i) {
    Shard shard;
    shard.number = i;
    shard.created = stream.created;
    shard.low = i == 0 ? HashKey{0} : stream.shards.back().high + 1;
    shard.high = i + 1 == shards ? kHashKeyMax : width * (i + 1);
    MR_DO(insert_shard(stream, shard));
    stream.shards.push_back(shard);
  }
  streams_.emplace(stream.name, std::move(stream));
  return {};
}

Status StreamStore::update(const Stream& stream) {
  const std::string tags = tags_text(stream.tags);
  return update_stream_.bind(1, stream.retention_hours)
      .bind(2, std::int64_t{stream.on_demand})
      .bind(3, std::string_view(tags))
      .bind(4, stream.id)
      .run();
}

Status StreamStore::drop(const std::string& name) {
  const Stream* stream = find(name);
  if (!stream) return {};
  MR_DO(note_gone_.bind(1, stream->id).run());
  MR_DO(drop_shards_.bind(1, stream->id).run());
  MR_DO(drop_stream_.bind(1, stream->id).run());
  streams_.erase(name);
  return {};
}

Status StreamStore::replace(Stream& stream, const std::vector<std::uint32_t>& closed, std::vector<Shard> made,
                            Instant now) {
  std::int64_t behind = 0;
  for (const std::uint32_t number : closed) {
    Shard& old = stream.shards[number];
    behind = std::max(behind, old.next);
    MR_DO(update_shard_.bind(1, old.next).bind_time(2, now).bind(3, old.id).run());
    old.closed = now;
  }
  for (Shard& shard : made) {
    shard.number = static_cast<std::uint32_t>(stream.shards.size());
    shard.created = now;
    shard.first = shard.next = behind + 1;  // the one between is the number the closed ones end with
    MR_DO(insert_shard(stream, shard));
    stream.shards.push_back(shard);
  }
  return {};
}

Result<std::vector<Placed>> StreamStore::append(Stream& stream, const std::vector<NewRecord>& records,
                                                Instant now) {
  const std::vector<const Shard*> open = stream.open_shards();
  std::map<std::uint32_t, std::string> rows;
  std::vector<Placed> placed;
  std::map<std::uint32_t, std::int64_t> next;
  for (const NewRecord& record : records) {
    const auto above = std::upper_bound(open.begin(), open.end(), record.hash,
                                        [](HashKey hash, const Shard* shard) { return hash < shard->low; });
    const Shard& shard = **(above - 1);
    const auto position = next.try_emplace(shard.number, shard.next).first;
    placed.push_back({shard.number, position->second++});
    std::string& row = rows[shard.number];
    put_u32(row, record.partition_key.size());
    put_u32(row, record.data.size());
    row.append(record.partition_key).append(record.data);
  }
  for (const auto& [number, bytes] : rows) {
    Shard& shard = stream.shards[number];
    const std::int64_t behind = next[number];
    MR_DO(add_rows_.bind(1, shard.id)
              .bind(2, behind - 1)
              .bind(3, shard.next)
              .bind(4, to_millis(now))
              .bind_blob(5, bytes)
              .run());
    MR_DO(update_shard_.bind(1, behind).bind_null(2).bind(3, shard.id).run());
    shard.next = behind;
  }
  return placed;
}

Result<std::int64_t> StreamStore::position_at(const Shard& shard, Instant time) {
  return position_of(at_time_, shard, time);
}

Result<std::int64_t> StreamStore::trim(Instant now) {
  std::int64_t removed = 0;
  for (const auto& [name, stream] : streams_) {
    for (const Shard& shard : stream.shards) {
      const Instant oldest = now - std::chrono::hours(stream.retention_hours);
      MR_DO(trim_.bind(1, shard.id).bind(2, to_millis(oldest)).bind(3, kTrimRows).run());
      removed += database_->changes();
    }
  }
  MR_DO(settle_gone_.run());
  MR_DO(trim_gone_.bind(1, kTrimRows).run());
  return removed + database_->changes();
}

Result<std::optional<std::string>> StreamStore::note(std::string_view key) {
  find_note_.bind(1, key);
  MR_TRY(row, find_note_.step());
  std::optional<std::string> value;
  if (row) value = std::string(find_note_.blob(0));
  find_note_.reset();
  return value;
}

Status StreamStore::keep_note(std::string_view key, std::string_view value) {
  return keep_note_.bind(1, key).bind_blob(2, value).run();
}

// ---- Reading

Result<std::unique_ptr<StreamReader>> StreamReader::open(const std::string& path) {
  auto reader = std::make_unique<StreamReader>();
  MR_TRY(database, Database::open_readonly(path));
  reader->database_ = std::move(database);
  MR_DO(prepare_all(
      reader->database_,
      {{&reader->stream_, kStreamSql},
       {&reader->shards_, kShardsSql},
       {&reader->shard_, kShardSql},
       {&reader->rows_,
        "SELECT first, arrived, data, last FROM records WHERE shard = ? AND last >= ? ORDER BY last"},
       {&reader->latest_, "SELECT arrived FROM records WHERE shard = ? ORDER BY last DESC LIMIT 1"},
       {&reader->at_time_, kAtTime},
       {&reader->note_, "SELECT value FROM note WHERE key = ?"}}));
  return reader;
}

Result<std::optional<Stream>> StreamReader::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  stream_.bind(1, name);
  MR_TRY(row, stream_.step());
  std::optional<Stream> found;
  if (row) found = stream_of(stream_);
  stream_.reset();
  if (!found) return found;
  shards_.bind(1, found->id);
  for (;;) {
    MR_TRY(more, shards_.step());
    if (!more) break;
    found->shards.push_back(shard_of(shards_));
  }
  shards_.reset();
  return found;
}

Result<ReadRecords> StreamReader::read(const ReadFrom& from, Instant now) {
  const std::lock_guard lock(mutex_);
  shard_.bind(1, from.shard);
  MR_TRY(there, shard_.step());
  if (!there) {
    shard_.reset();
    return fail(ErrorCode::NotFound, "the shard is gone");
  }
  ReadRecords read;
  read.shard = shard_of(shard_);
  read.stream = shard_.integer(10);
  const Instant oldest = now - std::chrono::hours(shard_.integer(11));
  shard_.reset();
  read.next = std::max(from.position, read.shard.first);
  rows_.bind(1, from.shard).bind(2, read.next);
  std::size_t bytes = 0;
  bool cut = false;
  ReadFrom wanted = from;
  wanted.position = read.next;
  while (!cut) {
    MR_TRY(row, rows_.step());
    if (!row) break;
    const std::int64_t last = rows_.integer(3);
    if (last >= read.shard.next) break;  // came after the shard was looked at
    const Instant arrived = from_millis(rows_.integer(1));
    if (arrived < oldest) {
      read.next = last + 1;
      continue;
    }
    if (!unpack_row(rows_.blob(2), rows_.integer(0), arrived, wanted, bytes, read.records)) {
      rows_.reset();
      return fail(ErrorCode::DataLoss,
                  "a row of records of " + shard_name(read.shard.number) + " is damaged");
    }
    if (!read.records.empty()) read.next = read.records.back().position + 1;
    cut = read.next <= last || read.records.size() >= from.records_max || bytes >= from.bytes_max;
  }
  rows_.reset();
  if (!cut) read.next = std::max(read.next, read.shard.next);  // what is missing there was removed
  read.end = read.shard.closed && read.next >= read.shard.next;
  latest_.bind(1, from.shard);
  MR_TRY(newest, latest_.step());
  if (newest) read.latest = from_millis(latest_.integer(0));
  latest_.reset();
  return read;
}

Result<std::int64_t> StreamReader::position_at(const Shard& shard, Instant time) {
  const std::lock_guard lock(mutex_);
  return position_of(at_time_, shard, time);
}

Result<std::optional<std::string>> StreamReader::note(std::string_view key) {
  const std::lock_guard lock(mutex_);
  note_.bind(1, key);
  MR_TRY(row, note_.step());
  std::optional<std::string> value;
  if (row) value = std::string(note_.blob(0));
  note_.reset();
  return value;
}

}  // namespace millrace::tasks::kinesis
