#include "tasks/integrations/attempts.h"

namespace millrace::tasks {

const char* const kAttemptsSchema =
    "CREATE TABLE IF NOT EXISTS attempt ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,"
    " request TEXT NOT NULL, answer TEXT NOT NULL);";

namespace {

constexpr std::int64_t kPrunedAtOnce = 4;  // more than are added, so that the table shrinks

}  // namespace

Result<Attempts> Attempts::open(Database& database, Instant now) {
  Attempts attempts;
  attempts.opened_ = now;
  MR_TRY(find, database.prepare("SELECT request, answer, at FROM attempt WHERE key = ?1"));
  MR_TRY(add, database.prepare(
                  "INSERT OR REPLACE INTO attempt (key, at, request, answer) VALUES (?1, ?2, ?3, ?4)"));
  MR_TRY(prune,
         database.prepare(
             "DELETE FROM attempt WHERE number IN (SELECT number FROM attempt ORDER BY number LIMIT ?2)"
             " AND at < ?1"));
  attempts.find_ = std::move(find);
  attempts.add_ = std::move(add);
  attempts.prune_ = std::move(prune);
  return attempts;
}

Result<std::optional<Attempts::Known>> Attempts::find(std::string_view key) {
  find_.bind(1, key);
  auto there = find_.step();
  if (!there) return fail(there.error());
  std::optional<Known> known;
  if (*there)
    known = Known{std::string(find_.text(0)), std::string(find_.text(1)), from_millis(find_.integer(2))};
  find_.reset();
  return known;
}

Status Attempts::add(std::string_view key, std::string_view request, std::string_view answer, Instant now) {
  add_.bind(1, key).bind(2, to_millis(now)).bind(3, request).bind(4, answer);
  MR_DO(add_.run());
  // What an earlier process did may be asked again as long as its engine is recovering.
  if (now < opened_ + kAttemptsKept) return {};
  prune_.bind(1, to_millis(now - kAttemptsKept)).bind(2, kPrunedAtOnce);
  return prune_.run();
}

}  // namespace millrace::tasks
