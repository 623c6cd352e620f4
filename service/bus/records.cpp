#include "service/bus/records.h"

#include <nlohmann/json.hpp>

namespace millrace::bus {

const char* const Records::kSchema =
    "CREATE TABLE IF NOT EXISTS record ("
    " kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS archived ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, archive TEXT NOT NULL, id TEXT NOT NULL, time INTEGER NOT "
    "NULL,"
    " document TEXT NOT NULL, UNIQUE (archive, id));"
    "CREATE INDEX IF NOT EXISTS archived_order ON archived (archive, number)";

std::string joined_key(std::string_view first, std::string_view second) {
  return std::string(first) + kKeySeparator + std::string(second);
}

Status Records::load(Database& database) {
  database_ = &database;
  kinds_.clear();
  changes_.clear();
  error_.reset();
  const std::pair<Statement&, std::string_view> statements[] = {
      {put_,
       "INSERT INTO record (kind, key, document) VALUES (?1, ?2, ?3)"
       " ON CONFLICT (kind, key) DO UPDATE SET document = excluded.document"},
      {erase_, "DELETE FROM record WHERE kind = ?1 AND key = ?2"},
      {archive_, "INSERT OR IGNORE INTO archived (archive, id, time, document) VALUES (?1, ?2, ?3, ?4)"},
      {archived_,
       "SELECT number, time, id, document FROM archived WHERE archive = ?1 AND number > ?2 AND time >= ?3"
       " AND time < ?4 ORDER BY number LIMIT ?5"},
      {archive_size_, "SELECT count(*), coalesce(sum(length(document)), 0) FROM archived WHERE archive = ?1"},
      {forget_, "DELETE FROM archived WHERE archive = ?1 AND time < ?2"},
  };
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    statement = std::move(prepared);
  }
  MR_TRY(all, database.prepare("SELECT kind, key, document FROM record"));
  for (;;) {
    MR_TRY(row, all.step());
    if (!row) break;
    kinds_[std::string(all.text(0))].emplace(std::string(all.text(1)), std::string(all.text(2)));
  }
  return {};
}

const Records::Documents& Records::all(std::string_view kind) const {
  static const Documents kNone;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? kNone : found->second;
}

bool Records::has(std::string_view kind, std::string_view key) const {
  const Documents& documents = all(kind);
  return documents.find(key) != documents.end();
}

Json Records::find(std::string_view kind, std::string_view key) const {
  const Documents& documents = all(kind);
  const auto found = documents.find(key);
  return found == documents.end() ? Json() : Json::parse(found->second, nullptr, false);
}

void Records::note(Status status) {
  if (!status && !error_) error_ = status.error();
}

void Records::put(std::string_view kind, std::string_view key, const Json& document) {
  std::string text(to_payload(document).text());
  note(put_.bind(1, kind).bind(2, key).bind(3, std::string_view(text)).run());
  changes_.push_back({std::string(kind), std::string(key), text});
  kinds_[std::string(kind)].insert_or_assign(std::string(key), std::move(text));
}

void Records::erase(std::string_view kind, std::string_view key) {
  note(erase_.bind(1, kind).bind(2, key).run());
  changes_.push_back({std::string(kind), std::string(key), std::nullopt});
  const auto found = kinds_.find(kind);
  if (found == kinds_.end()) return;
  if (const auto there = found->second.find(key); there != found->second.end()) found->second.erase(there);
}

std::vector<Records::Change> Records::take_changes() {
  return std::exchange(changes_, {});
}

std::optional<Error> Records::take_error() {
  return std::exchange(error_, std::nullopt);
}

Status Records::archive(std::string_view name, std::string_view event_id, Instant time,
                        std::string_view document) {
  return archive_.bind(1, name).bind(2, event_id).bind(3, to_millis(time)).bind(4, document).run();
}

Result<std::vector<Records::Archived>> Records::archived(std::string_view name, std::int64_t after,
                                                         Instant from, Instant until, std::size_t limit) {
  archived_.bind(1, name).bind(2, after).bind(3, to_millis(from)).bind(4, to_millis(until));
  archived_.bind(5, static_cast<std::int64_t>(limit));
  std::vector<Archived> found;
  auto more = archived_.step();
  for (; more && *more; more = archived_.step())
    found.push_back({archived_.integer(0), from_millis(archived_.integer(1)), std::string(archived_.text(2)),
                     std::string(archived_.text(3))});
  archived_.reset();
  if (!more) return fail(more.error());
  return found;
}

Result<Records::ArchiveSize> Records::archive_size(std::string_view name) {
  archive_size_.bind(1, name);
  const auto row = archive_size_.step();
  const ArchiveSize size =
      row && *row ? ArchiveSize{archive_size_.integer(0), archive_size_.integer(1)} : ArchiveSize{};
  archive_size_.reset();
  if (!row) return fail(row.error());
  return size;
}

Status Records::forget_archived(std::string_view name, Instant before) {
  return forget_.bind(1, name).bind(2, to_millis(before)).run();
}

}  // namespace millrace::bus
