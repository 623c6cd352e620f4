#include "service/ops/log_store.h"

#include <map>

#include "base/sqlite.h"
#include "orchestrator/store/sqlite_catalog.h"

namespace millrace::service {
namespace {

using orchestrator::all_rows;
using orchestrator::number_of;

constexpr int kLogApplicationId = 0x4D524C47;  // "MRLG"
constexpr std::int64_t kEventOverhead = 26;    // as AWS counts
// As in orchestrator/store/sqlite_schema.h: never changed once released.
constexpr const char* kLogSchemaSteps[] = {
    R"sql(
CREATE TABLE groups(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
  retention INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE streams(
  id INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
  first_event INTEGER, last_event INTEGER, last_ingestion INTEGER, UNIQUE(grp, name));
CREATE TABLE events(
  id INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL, stream INTEGER NOT NULL, time INTEGER NOT NULL,
  ingested INTEGER NOT NULL, message TEXT NOT NULL);
CREATE INDEX events_of_stream ON events(stream, time, id);
CREATE INDEX events_of_group ON events(grp, time, id);
CREATE TABLE tags(
  grp INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(grp, key)) WITHOUT ROWID;
)sql",
};
constexpr int kLogSchemaVersion = static_cast<int>(sizeof(kLogSchemaSteps) / sizeof(kLogSchemaSteps[0]));

tl::unexpected<Error> no_group() {
  return fail(ErrorCode::NotFound, "The specified log group does not exist.");
}
tl::unexpected<Error> no_stream() {
  return fail(ErrorCode::NotFound, "The specified log stream does not exist.");
}
std::optional<Instant> time_at(const Statement& from, int column) {
  if (from.is_null(column)) return std::nullopt;
  return from_millis(from.integer(column));
}
Result<LogGroup> group_at(const Statement& from) {
  return LogGroup{from.integer(0), std::string(from.text(1)), from_millis(from.integer(2)), from.integer(3),
                  from.integer(4)};
}
Result<LogStream> stream_at(const Statement& from) {
  return LogStream{from.integer(0),  std::string(from.text(1)), from_millis(from.integer(2)),
                   time_at(from, 3), time_at(from, 4),          time_at(from, 5)};
}

class SqliteLogStore final : public LogStore {
 public:
  explicit SqliteLogStore(Database database) : database_(std::move(database)), statements_(database_) {}

  Status create_group(const std::string& name, Instant now, std::int64_t retention_days) override {
    MR_TRY(s, statements_.get("INSERT INTO groups(name, created, retention) VALUES(?,?,?)"));
    const Status done = s->bind(1, name).bind(2, to_millis(now)).bind(3, retention_days).run();
    if (!done && done.error().code == ErrorCode::AlreadyExists)
      return fail(ErrorCode::AlreadyExists, "The specified log group already exists");
    return done;
  }
  Result<LogGroup> group(const std::string& name) override {
    MR_TRY(s, statements_.get("SELECT id, name, created, retention, bytes FROM groups WHERE name=?"));
    MR_TRY(rows, all_rows<LogGroup>(s->bind(1, name), group_at));
    if (rows.empty()) return no_group();
    return std::move(rows.front());
  }
  Status delete_group(const std::string& name) override {
    MR_TRY(found, group(name));
    MR_TRY(transaction, Transaction::begin(database_));
    for (const char* sql : {"DELETE FROM events WHERE grp=?", "DELETE FROM streams WHERE grp=?",
                            "DELETE FROM tags WHERE grp=?", "DELETE FROM groups WHERE id=?"}) {
      MR_TRY(s, statements_.get(sql));
      MR_DO(s->bind(1, found.id).run());
    }
    return transaction.commit();
  }
  Status set_retention(const std::string& name, std::int64_t days) override {
    MR_TRY(s, statements_.get("UPDATE groups SET retention=? WHERE name=?"));
    MR_DO(s->bind(1, days).bind(2, name).run());
    if (database_.changes() == 0) return no_group();
    return {};
  }
  Result<std::vector<LogGroup>> groups(const std::string& prefix, const std::string& part,
                                       const std::string& after, std::size_t limit) override {
    MR_TRY(s, statements_.get("SELECT id, name, created, retention, bytes FROM groups WHERE name>?1 AND "
                              "substr(name, 1, length(?2))=?2 AND instr(name, ?3)>0 ORDER BY name LIMIT ?4"));
    s->bind(1, after).bind(2, prefix).bind(3, part).bind(4, static_cast<std::int64_t>(limit));
    return all_rows<LogGroup>(*s, group_at);
  }

  Status create_stream(const std::string& group_name, const std::string& name, Instant now) override {
    MR_TRY(found, group(group_name));
    MR_TRY(s, statements_.get("INSERT INTO streams(grp, name, created) VALUES(?,?,?)"));
    const Status done = s->bind(1, found.id).bind(2, name).bind(3, to_millis(now)).run();
    if (!done && done.error().code == ErrorCode::AlreadyExists)
      return fail(ErrorCode::AlreadyExists, "The specified log stream already exists");
    return done;
  }
  Result<LogStream> stream(const std::string& group_name, const std::string& name) override {
    MR_TRY(found, group(group_name));
    return stream_of(found.id, name);
  }
  Status delete_stream(const std::string& group_name, const std::string& name) override {
    MR_TRY(owner, group(group_name));
    MR_TRY(found, stream_of(owner.id, name));
    MR_TRY(transaction, Transaction::begin(database_));
    MR_TRY(size,
           statements_.get(
               "UPDATE groups SET bytes=bytes-(SELECT coalesce(sum(length(CAST(message AS BLOB))+26), 0) "
               "FROM events WHERE stream=?1) WHERE id=?2"));
    MR_DO(size->bind(1, found.id).bind(2, owner.id).run());
    for (const char* sql : {"DELETE FROM events WHERE stream=?", "DELETE FROM streams WHERE id=?"}) {
      MR_TRY(s, statements_.get(sql));
      MR_DO(s->bind(1, found.id).run());
    }
    return transaction.commit();
  }
  Result<std::vector<LogStream>> streams(const std::string& group_name, const std::string& prefix,
                                         bool by_last_event, bool descending, std::size_t skip,
                                         std::size_t limit) override {
    MR_TRY(found, group(group_name));
    std::string sql =
        "SELECT id, name, created, first_event, last_event, last_ingestion FROM streams WHERE grp=?1 AND "
        "substr(name, 1, length(?2))=?2 ORDER BY ";
    if (by_last_event) sql += "coalesce(last_event, 0)";
    if (!by_last_event) sql += "name";
    if (descending) sql += " DESC, id DESC";
    if (!descending) sql += ", id";
    sql += " LIMIT ?3 OFFSET ?4";
    MR_TRY(s, statements_.get(sql));
    s->bind(1, found.id).bind(2, prefix).bind(3, static_cast<std::int64_t>(limit));
    s->bind(4, static_cast<std::int64_t>(skip));
    return all_rows<LogStream>(*s, stream_at);
  }

  Status put(const std::string& group_name, const std::string& stream_name, std::span<const LogEvent> events,
             Instant now) override {
    MR_TRY(owner, group(group_name));
    MR_TRY(found, stream_of(owner.id, stream_name));
    MR_TRY(transaction, Transaction::begin(database_));
    for (const LogEvent& event : events) MR_DO(insert(owner.id, found.id, event.time, event.message, now));
    MR_DO(account(owner.id, found.id, events, now));
    return transaction.commit();
  }

  Status write(std::span<const LogLine> lines, Instant now, std::int64_t retention_days) override {
    MR_TRY(transaction, Transaction::begin(database_));
    // By stream, so that each stream's and group's row is changed once.
    std::map<std::pair<std::string_view, std::string_view>, std::vector<const LogLine*>> by_stream;
    for (const LogLine& line : lines) by_stream[{line.group, line.stream}].push_back(&line);
    for (const auto& [names, own] : by_stream) {
      MR_TRY(owner, group_made(own.front()->group, now, retention_days));
      MR_TRY(stream, stream_made(owner, own.front()->stream, now));
      std::int64_t bytes = 0;
      Instant first = own.front()->time, last = first;
      for (const LogLine* line : own) {
        MR_DO(insert(owner, stream, line->time, line->message, now));
        bytes += static_cast<std::int64_t>(line->message.size()) + kEventOverhead;
        first = std::min(first, line->time);
        last = std::max(last, line->time);
      }
      MR_DO(account(owner, stream, first, last, bytes, now));
    }
    return transaction.commit();
  }

  Result<std::vector<LogEvent>> events(const LogQuery& query) override {
    std::string sql =
        "SELECT e.id, e.time, e.ingested, s.name, e.message FROM events e JOIN streams s ON s.id=e.stream "
        "WHERE "
        "e.time>=?1 AND e.time<?2";
    // One stream has an index of its own; of several the group's serves.
    const bool one = query.streams.size() == 1;
    if (one) sql += " AND e.stream=?3";
    if (!one) sql += " AND e.grp=?3";
    if (query.place && query.newest_first) sql += " AND (e.time, e.id)<(?4, ?5)";
    if (query.place && !query.newest_first) sql += " AND (e.time, e.id)>(?4, ?5)";
    if (query.streams.size() > 1) sql += " AND instr(?7, ','||e.stream||',')>0";
    if (query.newest_first) sql += " ORDER BY e.time DESC, e.id DESC";
    if (!query.newest_first) sql += " ORDER BY e.time, e.id";
    sql += " LIMIT ?6";
    std::string list = ",";
    for (const std::int64_t id : query.streams) list.append(std::to_string(id)).append(",");
    MR_TRY(s, statements_.get(sql));
    s->bind(1, query.from).bind(2, query.until).bind(3, one ? query.streams.front() : query.group);
    if (query.place) s->bind(4, query.place->time).bind(5, query.place->id);
    s->bind(6, static_cast<std::int64_t>(query.limit));
    if (query.streams.size() > 1) s->bind(7, list);
    return all_rows<LogEvent>(*s, [](const Statement& from) -> Result<LogEvent> {
      return LogEvent{from.integer(0), from_millis(from.integer(1)), from_millis(from.integer(2)),
                      std::string(from.text(3)), std::string(from.text(4))};
    });
  }

  Result<std::vector<std::pair<std::string, std::string>>> tags(const std::string& group_name) override {
    MR_TRY(found, group(group_name));
    MR_TRY(s, statements_.get("SELECT key, value FROM tags WHERE grp=? ORDER BY key"));
    using Pair = std::pair<std::string, std::string>;
    return all_rows<Pair>(s->bind(1, found.id), [](const Statement& from) -> Result<Pair> {
      return Pair{from.text(0), from.text(1)};
    });
  }
  Status set_tag(const std::string& group_name, const std::string& key, const std::string& value) override {
    MR_TRY(found, group(group_name));
    MR_TRY(s, statements_.get("INSERT INTO tags(grp, key, value) VALUES(?,?,?) ON CONFLICT DO UPDATE SET "
                              "value=excluded.value"));
    return s->bind(1, found.id).bind(2, key).bind(3, value).run();
  }
  Status remove_tag(const std::string& group_name, const std::string& key) override {
    MR_TRY(found, group(group_name));
    MR_TRY(s, statements_.get("DELETE FROM tags WHERE grp=? AND key=?"));
    return s->bind(1, found.id).bind(2, key).run();
  }

  Result<std::size_t> remove_expired(Instant now, std::size_t limit) override {
    MR_TRY(select,
           statements_.get("SELECT id, name, created, retention, bytes FROM groups WHERE retention>0"));
    MR_TRY(expiring, all_rows<LogGroup>(*select, group_at));
    std::size_t removed = 0;
    for (const LogGroup& group : expiring) {
      if (removed >= limit) break;
      const std::int64_t before = to_millis(now - std::chrono::days(group.retention_days));
      const auto left = static_cast<std::int64_t>(limit - removed);
      MR_TRY(transaction, Transaction::begin(database_));
      MR_TRY(
          size,
          statements_.get(
              "UPDATE groups SET bytes=bytes-(SELECT coalesce(sum(length(CAST(message AS BLOB))+26), 0) FROM "
              "(SELECT message FROM events WHERE grp=?1 AND time<?2 ORDER BY time, id LIMIT ?3)) WHERE "
              "id=?1"));
      MR_DO(size->bind(1, group.id).bind(2, before).bind(3, left).run());
      MR_TRY(erase,
             statements_.get("DELETE FROM events WHERE id IN (SELECT id FROM events WHERE grp=?1 AND time<?2 "
                             "ORDER BY time, id LIMIT ?3)"));
      MR_DO(erase->bind(1, group.id).bind(2, before).bind(3, left).run());
      removed += static_cast<std::size_t>(database_.changes());
      MR_DO(transaction.commit());
    }
    if (removed > 0) MR_DO(database_.execute("PRAGMA incremental_vacuum(256)"));
    return removed;
  }

 private:
  Result<LogStream> stream_of(std::int64_t owner, const std::string& name) {
    MR_TRY(s, statements_.get(
                  "SELECT id, name, created, first_event, last_event, last_ingestion FROM streams WHERE "
                  "grp=? AND name=?"));
    MR_TRY(rows, all_rows<LogStream>(s->bind(1, owner).bind(2, name), stream_at));
    if (rows.empty()) return no_stream();
    return std::move(rows.front());
  }
  Result<std::int64_t> group_made(const std::string& name, Instant now, std::int64_t retention_days) {
    auto found = group(name);
    if (!found && found.error().code == ErrorCode::NotFound) {
      MR_DO(create_group(name, now, retention_days));
      found = group(name);
    }
    if (!found) return fail(found.error());
    return found->id;
  }
  Result<std::int64_t> stream_made(std::int64_t owner, const std::string& name, Instant now) {
    auto found = stream_of(owner, name);
    if (!found && found.error().code == ErrorCode::NotFound) {
      MR_TRY(s, statements_.get("INSERT INTO streams(grp, name, created) VALUES(?,?,?)"));
      MR_DO(s->bind(1, owner).bind(2, name).bind(3, to_millis(now)).run());
      found = stream_of(owner, name);
    }
    if (!found) return fail(found.error());
    return found->id;
  }
  Status insert(std::int64_t owner, std::int64_t stream, Instant time, const std::string& message,
                Instant now) {
    MR_TRY(s, statements_.get("INSERT INTO events(grp, stream, time, ingested, message) VALUES(?,?,?,?,?)"));
    return s->bind(1, owner)
        .bind(2, stream)
        .bind(3, to_millis(time))
        .bind(4, to_millis(now))
        .bind(5, message)
        .run();
  }
  Status account(std::int64_t owner, std::int64_t stream, std::span<const LogEvent> events, Instant now) {
    if (events.empty()) return {};
    std::int64_t bytes = 0;
    for (const LogEvent& event : events)
      bytes += static_cast<std::int64_t>(event.message.size()) + kEventOverhead;
    return account(owner, stream, events.front().time, events.back().time, bytes, now);
  }
  Status account(std::int64_t owner, std::int64_t stream, Instant first, Instant last, std::int64_t bytes,
                 Instant now) {
    MR_TRY(s, statements_.get("UPDATE streams SET first_event=min(coalesce(first_event, ?1), ?1), "
                              "last_event=max(coalesce(last_event, ?2), ?2), last_ingestion=?3 WHERE id=?4"));
    MR_DO(
        s->bind(1, to_millis(first)).bind(2, to_millis(last)).bind(3, to_millis(now)).bind(4, stream).run());
    MR_TRY(g, statements_.get("UPDATE groups SET bytes=bytes+? WHERE id=?"));
    return g->bind(1, bytes).bind(2, owner).run();
  }

  Database database_;
  orchestrator::Statements statements_;
};

}  // namespace

Result<std::unique_ptr<LogStore>> open_log_store(const std::string& path) {
  MR_TRY(database, Database::open(path));
  MR_TRY(application, number_of(database, "PRAGMA application_id"));
  MR_TRY(version, number_of(database, "PRAGMA user_version"));
  MR_TRY(tables, number_of(database, "SELECT count(*) FROM sqlite_master"));
  if (tables > 0 && application != kLogApplicationId)
    return fail(ErrorCode::DataLoss, path + ": these logs were not made by Millrace", "move the file away");
  if (version > kLogSchemaVersion)
    return fail(ErrorCode::Unavailable,
                path + ": written by a newer Millrace (format " + std::to_string(version) +
                    ", this one knows " + std::to_string(kLogSchemaVersion) + ")",
                "use the newer Millrace; the file is left as it is");
  for (auto step = static_cast<int>(version); step < kLogSchemaVersion; ++step) {
    MR_TRY(transaction, Transaction::begin(database));
    MR_DO(database.execute(kLogSchemaSteps[step]));
    MR_DO(database.execute(("PRAGMA application_id=" + std::to_string(kLogApplicationId)).c_str()));
    MR_DO(database.execute(("PRAGMA user_version=" + std::to_string(step + 1)).c_str()));
    MR_DO(transaction.commit());
  }
  return std::unique_ptr<LogStore>(std::make_unique<SqliteLogStore>(std::move(database)));
}

}  // namespace millrace::service
