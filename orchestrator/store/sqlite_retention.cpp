#include "orchestrator/store/sqlite_retention.h"

#include <algorithm>
#include <charconv>

#include "orchestrator/store/sqlite_catalog.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kHighest = "highest execution";  // the fact's name

struct Looked {
  std::int64_t id = 0, map_run = 0, started = 0;
  bool ended_before = false;
};

Result<std::vector<Looked>> look_at(Database& database, const RemoveEnded& request) {
  MR_TRY(rows, database.prepare("SELECT id, map_run, started, status<>0 AND stopped<?1 FROM executions "
                                "WHERE id>?2 ORDER BY id LIMIT ?3"));
  rows.bind(1, to_millis(request.before))
      .bind(2, static_cast<std::int64_t>(request.after.value))
      .bind(3, static_cast<std::int64_t>(request.limit));
  return all_rows<Looked>(rows, [](const Statement& from) -> Result<Looked> {
    return Looked{from.integer(0), from.integer(1), from.integer(2), from.integer(3) != 0};
  });
}

Status run_with(Database& database, std::string_view sql, std::int64_t first, std::int64_t second = -1) {
  MR_TRY(statement, database.prepare(sql));
  statement.bind(1, first);
  if (second >= 0) statement.bind(2, second);
  return statement.run();
}

Result<bool> is_there(Database& database, std::string_view sql, std::int64_t key) {
  MR_TRY(statement, database.prepare(sql));
  return statement.bind(1, key).step();
}

// The map runs of an execution with their children, at most `budget` of these. False: there is more to do.
Result<bool> remove_map_runs(Database& database, std::int64_t execution, std::int64_t& budget) {
  MR_TRY(select, database.prepare("SELECT id FROM map_runs WHERE execution=?"));
  MR_TRY(runs,
         all_rows<std::int64_t>(select.bind(1, execution), [](const Statement& from) -> Result<std::int64_t> {
           return from.integer(0);
         }));
  for (const std::int64_t run : runs) {
    MR_DO(run_with(database,
                   "DELETE FROM history WHERE execution IN (SELECT id FROM executions WHERE family=?1 ORDER "
                   "BY id LIMIT ?2)",
                   -run, budget));
    MR_DO(run_with(
        database,
        "DELETE FROM executions WHERE id IN (SELECT id FROM executions WHERE family=?1 ORDER BY id LIMIT ?2)",
        -run, budget));
    budget -= std::min(budget, database.changes());
    MR_DO(run_with(
        database,
        "DELETE FROM map_results WHERE rowid IN (SELECT rowid FROM map_results WHERE run=?1 LIMIT ?2)", run,
        budget));
    budget -= std::min(budget, database.changes());
    MR_TRY(children, is_there(database, "SELECT 1 FROM executions WHERE family=? LIMIT 1", -run));
    MR_TRY(results, is_there(database, "SELECT 1 FROM map_results WHERE run=? LIMIT 1", run));
    if (children || results) return false;
    MR_DO(run_with(database, "DELETE FROM map_runs WHERE id=?", run));
  }
  return true;
}

}  // namespace

Result<std::int64_t> highest_execution(Database& database) {
  MR_TRY(highest, number_of(database, "SELECT max(id) FROM executions"));
  MR_TRY(statement, database.prepare("SELECT value FROM facts WHERE name=?"));
  MR_TRY(there, statement.bind(1, kHighest).step());
  std::int64_t kept = 0;
  if (there) {
    const std::string_view text = statement.text(0);
    std::from_chars(text.data(), text.data() + text.size(), kept);
  }
  return std::max(highest, kept);
}

Status reserve_executions(Database& database, std::int64_t id) {
  MR_TRY(statement,
         database.prepare(
             "INSERT INTO facts(name, value) VALUES(?,?) ON CONFLICT DO UPDATE SET value=excluded.value"));
  const std::string text = std::to_string(id);
  return statement.bind(1, kHighest).bind(2, text).run();
}

Result<RemovedEnded> remove_ended_rows(Database& database, const RemoveEnded& request) {
  RemovedEnded removed;
  removed.next = request.after;
  MR_TRY(transaction, Transaction::begin(database));
  MR_TRY(rows, look_at(database, request));
  MR_TRY(highest, highest_execution(database));
  // Children are counted like executions, so that one transaction stays small.
  auto budget = static_cast<std::int64_t>(request.limit);
  removed.done = rows.size() < request.limit;
  for (const Looked& row : rows) {
    // Ids grow with the time of the start: what began later has not ended before.
    if (row.started >= to_millis(request.before)) {
      removed.done = true;
      break;
    }
    if (budget <= 0) {
      removed.done = false;
      break;
    }
    if (!row.ended_before || row.map_run != 0) {  // a child goes with its run
      removed.next = ExecutionId{static_cast<std::uint64_t>(row.id)};
      continue;
    }
    MR_TRY(busy, is_there(database, "SELECT 1 FROM map_runs WHERE execution=? AND status=0", row.id));
    if (!busy) {
      MR_TRY(all, remove_map_runs(database, row.id, budget));
      if (!all) {
        removed.done = false;
        break;
      }
      MR_DO(run_with(database, "DELETE FROM history WHERE execution=?", row.id));
      MR_DO(run_with(database, "DELETE FROM executions WHERE id=?", row.id));
      ++removed.executions;
      --budget;
    }
    removed.next = ExecutionId{static_cast<std::uint64_t>(row.id)};
  }
  if (budget == static_cast<std::int64_t>(request.limit)) return removed;  // nothing is to be written
  MR_DO(reserve_executions(database, highest));
  MR_DO(transaction.commit());
  return removed;
}

}  // namespace millrace::orchestrator
