#include "tasks/features/feature_rows.h"

#include <algorithm>

namespace millrace::tasks {

const char* const kFeatureSchema =
    "CREATE TABLE IF NOT EXISTS online(grp INTEGER NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL, "
    "  expires INTEGER, answer TEXT, PRIMARY KEY(grp, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS online_expires ON online(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS places(grp INTEGER PRIMARY KEY, uri TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS offline(grp INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, "
    "  deleted INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY(grp, seq)) "
    "WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS plans(grp INTEGER PRIMARY KEY, upto INTEGER NOT NULL, written INTEGER NOT "
    "NULL);";

namespace {

constexpr std::int64_t kExpiredByPut = 2;  // rows that go with one that will expire

Status prepare_all(Database& database, std::initializer_list<std::pair<Statement*, const char*>> statements) {
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    *statement = std::move(prepared);
  }
  return {};
}

Result<std::vector<std::int64_t>> column_of_integers(Statement& statement) {
  std::vector<std::int64_t> values;
  for (;;) {
    MR_TRY(row, statement.step());
    if (!row) break;
    values.push_back(statement.integer(0));
  }
  statement.reset();
  return values;
}

}  // namespace

Result<FeatureRows> FeatureRows::open(Database& database, Instant now) {
  FeatureRows rows;
  MR_DO(prepare_all(
      database,
      {{&rows.put_,
        "INSERT INTO online(grp, id, time, expires, answer) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(grp, id) "
        "DO "
        "UPDATE SET time = excluded.time, expires = excluded.expires, answer = excluded.answer "
        "WHERE excluded.time >= online.time OR online.expires <= ?6"},
       {&rows.mark_,
        "INSERT INTO online(grp, id, time, expires, answer) VALUES(?1, ?2, ?3, NULL, NULL) ON CONFLICT(grp, "
        "id) "
        "DO UPDATE SET time = excluded.time, expires = NULL, answer = NULL "
        "WHERE excluded.time > online.time OR online.expires <= ?4"},
       {&rows.find_, "SELECT time, expires FROM online WHERE grp = ?1 AND id = ?2"},
       {&rows.remove_, "DELETE FROM online WHERE grp = ?1 AND id = ?2"},
       {&rows.place_, "INSERT OR REPLACE INTO places(grp, uri) VALUES(?1, ?2)"},
       {&rows.log_, "INSERT INTO offline(grp, seq, time, deleted, line) VALUES(?1, ?2, ?3, ?4, ?5)"},
       {&rows.groups_logged_,
        "WITH RECURSIVE g(n) AS (SELECT min(grp) FROM offline UNION ALL "
        "SELECT (SELECT min(grp) FROM offline WHERE grp > n) FROM g WHERE n IS NOT NULL) "
        "SELECT n FROM g WHERE n IS NOT NULL AND n NOT IN (SELECT grp FROM plans)"},
       {&rows.bound_, "SELECT seq FROM offline WHERE grp = ?1 ORDER BY seq LIMIT 1 OFFSET ?2"},
       {&rows.last_, "SELECT max(seq) FROM offline WHERE grp = ?1"},
       {&rows.plan_, "INSERT INTO plans(grp, upto, written) VALUES(?1, ?2, ?3)"},
       {&rows.unlog_, "DELETE FROM offline WHERE grp = ?1 AND seq <= ?2"},
       {&rows.unplan_, "DELETE FROM plans WHERE grp = ?1"},
       {&rows.groups_,
        "WITH RECURSIVE g(n) AS (SELECT min(grp) FROM online UNION ALL "
        "SELECT (SELECT min(grp) FROM online WHERE grp > n) FROM g WHERE n IS NOT NULL) "
        "SELECT n FROM g WHERE n IS NOT NULL"},
       {&rows.drop_, "DELETE FROM online WHERE grp = ?1"},
       {&rows.expire_,
        "DELETE FROM online WHERE (grp, id) IN "
        "(SELECT grp, id FROM online WHERE expires <= ?1 LIMIT ?2)"}}));
  MR_TRY(newest, database.prepare("SELECT coalesce(max(seq), 0) FROM offline"));
  MR_DO(newest.step());
  // Not before the clock: what files were named by is not used again.
  rows.last_put_ = std::max(newest.integer(0), to_millis(now) * 1000);
  return rows;
}

Status FeatureRows::put_online(const FeatureGroup& group, const FeatureRecord& record,
                               const std::optional<Instant>& expires, Instant now) {
  put_.bind(1, group.number).bind(2, record.id).bind(3, record.time_us).bind_time(4, expires);
  put_.bind(5, record.answer).bind(6, to_millis(now));
  MR_DO(put_.run());
  return expires ? drop_expired(now, kExpiredByPut) : Status();
}

Status FeatureRows::mark_deleted(const FeatureGroup& group, const FeatureRecord& deletion, Instant now) {
  mark_.bind(1, group.number).bind(2, deletion.id).bind(3, deletion.time_us).bind(4, to_millis(now));
  return mark_.run();
}

Result<bool> FeatureRows::remove_online(const FeatureGroup& group, const FeatureRecord& deletion,
                                        Instant now) {
  find_.bind(1, group.number).bind(2, deletion.id);
  MR_TRY(there, find_.step());
  const bool newer = there && find_.integer(0) >= deletion.time_us &&
                     (find_.is_null(1) || find_.integer(1) > to_millis(now));
  find_.reset();
  if (newer) return false;
  remove_.bind(1, group.number).bind(2, deletion.id);
  MR_DO(remove_.run());
  return true;
}

Status FeatureRows::put_offline(const FeatureGroup& group, const FeatureRecord& record, Instant invoked) {
  if (std::find(placed_.begin(), placed_.end(), group.number) == placed_.end()) {
    place_.bind(1, group.number).bind(2, group.offline_uri);
    MR_DO(place_.run());
    placed_.push_back(group.number);
  }
  last_put_ = std::max(last_put_ + 1, to_millis(invoked) * 1000);
  log_.bind(1, group.number).bind(2, last_put_).bind(3, record.time_us);
  log_.bind(4, std::int64_t{record.deleted}).bind(5, record.line);
  return log_.run();
}

Status FeatureRows::plan(std::size_t rows_max, Instant now) {
  MR_TRY(groups, column_of_integers(groups_logged_));
  for (const std::int64_t group : groups) {
    bound_.bind(1, group).bind(2, static_cast<std::int64_t>(rows_max) - 1);
    MR_TRY(more, bound_.step());
    std::int64_t upto = more ? bound_.integer(0) : 0;
    bound_.reset();
    if (!more) {
      last_.bind(1, group);
      MR_DO(last_.step());
      upto = last_.integer(0);
      last_.reset();
    }
    plan_.bind(1, group).bind(2, upto).bind(3, to_millis(now));
    MR_DO(plan_.run());
  }
  return {};
}

Status FeatureRows::finish(const OfflinePlan& plan) {
  unlog_.bind(1, plan.group).bind(2, plan.upto);
  MR_DO(unlog_.run());
  unplan_.bind(1, plan.group);
  return unplan_.run();
}

Status FeatureRows::keep_only(const std::vector<std::int64_t>& groups) {
  MR_TRY(there, column_of_integers(groups_));
  for (const std::int64_t group : there)
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) MR_DO(drop_group(group));
  return {};
}

Status FeatureRows::drop_group(std::int64_t group) {
  drop_.bind(1, group);
  return drop_.run();
}

Status FeatureRows::drop_expired(Instant now, std::int64_t rows_max) {
  expire_.bind(1, to_millis(now)).bind(2, rows_max);
  return expire_.run();
}

void FeatureRows::forget() {
  placed_.clear();
}

Result<std::unique_ptr<FeatureReader>> FeatureReader::open(const std::string& path) {
  std::unique_ptr<FeatureReader> reader(new FeatureReader);
  MR_TRY(database, Database::open_readonly(path));
  reader->database_ = std::move(database);
  MR_DO(prepare_all(reader->database_,
                    {{&reader->find_, "SELECT answer, expires FROM online WHERE grp = ?1 AND id = ?2"},
                     {&reader->plans_,
                      "SELECT plans.grp, upto, written, uri FROM plans JOIN places ON places.grp = plans.grp "
                      "ORDER BY plans.grp"},
                     {&reader->rows_,
                      "SELECT time, seq, deleted, line FROM offline WHERE grp = ?1 AND seq <= ?2 "
                      "ORDER BY time / 3600000000, seq"}}));
  return reader;
}

Result<std::optional<FeatureReader::Found>> FeatureReader::find(const FeatureGroup& group,
                                                                std::string_view id, Instant now) {
  const std::lock_guard lock(mutex_);
  find_.bind(1, group.number).bind(2, id);
  auto row = find_.step();
  std::optional<Found> found;
  if (row && *row && !find_.is_null(0)) found = Found{std::string(find_.text(0)), find_.time(1)};
  find_.reset();
  if (!row) return fail(row.error());
  if (found && found->expires && *found->expires <= now) found.reset();
  return found;
}

Result<std::vector<OfflinePlan>> FeatureReader::plans() {
  const std::lock_guard lock(mutex_);
  std::vector<OfflinePlan> plans;
  for (;;) {
    MR_TRY(row, plans_.step());
    if (!row) break;
    plans.push_back(
        {plans_.integer(0), plans_.integer(1), from_millis(plans_.integer(2)), std::string(plans_.text(3))});
  }
  plans_.reset();
  return plans;
}

Status FeatureReader::rows(const OfflinePlan& plan, const std::function<Status(OfflineRow)>& take) {
  const std::lock_guard lock(mutex_);
  rows_.bind(1, plan.group).bind(2, plan.upto);
  Status status;
  while (status) {
    const auto row = rows_.step();
    if (!row) status = fail(row.error());
    if (!row || !*row) break;
    status = take({rows_.integer(0), rows_.integer(1), rows_.integer(2) != 0, std::string(rows_.text(3))});
  }
  rows_.reset();
  return status;
}

}  // namespace millrace::tasks
