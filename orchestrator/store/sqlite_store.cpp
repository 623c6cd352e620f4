#include <unordered_map>

#include "base/check.h"
#include "base/metrics.h"
#include "base/sqlite.h"
#include "orchestrator/store/codec.h"
#include "orchestrator/store/sqlite_catalog.h"
#include "orchestrator/store/sqlite_map_runs.h"
#include "orchestrator/store/sqlite_retention.h"
#include "orchestrator/store/sqlite_schema.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {
namespace {

// The log is brought into the database file when it has this many pages (4 KiB each). bench/commit_bench.cpp:
// with four or sixteen times as many the throughput is the same, and the slowest answers take three or ten
// times as long.
constexpr int kLogPagesMax = 1000;
constexpr const char* kSettings =
    "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864; PRAGMA "
    "wal_autocheckpoint=1000";
static_assert(kLogPagesMax == 1000, "the same number stands in kSettings, which is constant text");

constexpr char kExecutionColumns[] =
    "id, machine, name, status, started, stopped, due, tasks_out, events, map_run, map_items, version, "
    "alias, "
    "redrives, redriven, started_by";

tl::unexpected<Error> damaged_store(std::string what) {
  return fail(ErrorCode::DataLoss, std::move(what),
              "restore the database from a backup; it is left as it is");
}
tl::unexpected<Error> unknown(ExecutionId id) {
  return fail(ErrorCode::NotFound, "there is no execution " + std::to_string(id.value));
}

Result<ExecutionRow> execution_at(const Statement& from) {
  const std::int64_t status = from.integer(3);
  if (status < 0 || status > static_cast<std::int64_t>(states::ExecutionStatus::Aborted) ||
      from.integer(8) < 0) {
    return damaged_store("the row of execution " + std::to_string(from.integer(0)) + " is damaged");
  }
  ExecutionRow row;
  row.id = ExecutionId{as_unsigned(from.integer(0))};
  row.machine = MachineId{as_unsigned(from.integer(1))};
  row.name = from.text(2);
  row.status = static_cast<states::ExecutionStatus>(status);
  row.started = from_millis(from.integer(4));
  row.stopped = from.time(5);
  row.due = from.time(6);
  row.tasks_out = from.integer(7) != 0;
  row.events = as_unsigned(from.integer(8));
  row.map_run = MapRunId{as_unsigned(from.integer(9))};
  row.map_items = static_cast<std::uint32_t>(from.integer(10));
  row.version = static_cast<std::uint32_t>(from.integer(11));
  row.alias = from.text(12);
  row.redrives = static_cast<std::uint32_t>(from.integer(13));
  row.redriven = from.time(14);
  row.started_by = from.text(15);
  return row;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Database database, bool writes)
      : database_(std::move(database)),
        writes_(writes),
        map_runs_(make_sqlite_map_runs(database_, writes)),
        catalog_(database_, writes) {}

  Status prepare() {
    const std::string execution = std::string("SELECT ") + kExecutionColumns + " FROM executions ";
    const std::pair<Statement*, std::string> statements[] = {
        {&insert_execution_,
         "INSERT INTO executions(id, machine, family, name, status, started, stopped, due, tasks_out, "
         "events, "
         "map_run, map_items, version, alias, started_by) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT "
         "DO NOTHING"},
        {&update_execution_,
         "UPDATE executions SET status=?, stopped=?, due=?, tasks_out=?, events=?, redrives=?, redriven=? "
         "WHERE id=? AND events=?"},
        {&insert_history_, "INSERT INTO history(execution, last, events) VALUES(?,?,?)"},
        {&select_history_,
         "SELECT last, events FROM history WHERE execution=? AND last>? ORDER BY last, rowid"},
        {&select_execution_, execution + "WHERE id=?"},
        {&select_named_, execution + "WHERE family=(SELECT family FROM machines WHERE id=?) AND name=?"},
        {&select_found_, execution +
                             "WHERE family IN (SELECT id FROM state_machines WHERE name=?) AND name=? "
                             "ORDER BY id DESC LIMIT 1"},
        {&select_children_, execution + "WHERE family=? AND id>? ORDER BY id LIMIT ?"},
        {&select_child_, execution + "WHERE family<0 AND name=?"},
        {&select_unfinished_, execution + "WHERE status=0 AND status<>1 AND id>? ORDER BY id LIMIT ?"},
    };
    for (const auto& [statement, sql] : statements) {
      MR_TRY(prepared, database_.prepare(sql));
      *statement = std::move(prepared);
    }
    return {};
  }

  Result<std::vector<AppendResult>> commit(std::span<const Append> group) override {
    MR_DO(writable());
    std::vector<AppendResult> results;
    results.reserve(group.size());
    MR_TRY(transaction, Transaction::begin(database_));
    for (const Append& append : group) {
      MR_CHECK(append.row.events == append.expected + append.events.size(), "a row counts its events");
      MR_TRY(result, append.expected == 0 ? create(append) : extend(append));
      results.push_back(result);
      if (result == AppendResult::Ok) MR_DO(add_history(append));
    }
    const metrics::Stopwatch watch;
    MR_DO(transaction.commit());
    last_sync_ = watch.elapsed();
    return results;
  }
  std::chrono::nanoseconds last_sync() const override { return last_sync_; }

  Result<std::vector<states::Event>> events(ExecutionId id, std::uint64_t after, std::size_t limit) override {
    MR_TRY(row, execution(id));
    std::vector<states::Event> out;
    std::uint64_t next = after;
    select_history_.bind(1, as_signed(id.value)).bind(2, as_signed(after));
    const auto stop = [&](auto result) {
      select_history_.reset();
      return result;
    };
    while (next < row.events && out.size() < limit) {
      auto more = select_history_.step();
      if (!more) return fail(more.error());
      if (!*more) return stop(incomplete(id));
      const std::uint64_t last = as_unsigned(select_history_.integer(0));
      auto part = decode_events(select_history_.blob(1));
      if (!part) return stop(fail(at_execution(part.error(), id)));
      const std::uint64_t first = last - part->size();
      // Only the first row may begin before what was asked for; a row behind a gap, or again, is damage.
      if (last <= next || first > next || (first < next && next != after)) return stop(incomplete(id));
      out.insert(out.end(),
                 std::make_move_iterator(part->begin() + static_cast<std::ptrdiff_t>(next - first)),
                 std::make_move_iterator(part->end()));
      next = last;
    }
    select_history_.reset();
    return out;
  }

  Result<ExecutionRow> execution(ExecutionId id) override {
    MR_TRY(rows, all_rows<ExecutionRow>(select_execution_.bind(1, as_signed(id.value)), execution_at));
    if (rows.empty()) return unknown(id);
    return std::move(rows.front());
  }
  Result<ExecutionRow> execution_named(MachineId machine, const std::string& name) override {
    MR_TRY(rows, all_rows<ExecutionRow>(select_named_.bind(1, as_signed(machine.value)).bind(2, name),
                                        execution_at));
    if (rows.empty())
      return fail(ErrorCode::NotFound, "there is no execution named '" + name + "' of this state machine");
    return std::move(rows.front());
  }
  Result<ExecutionRow> find_execution(const std::string& machine_name, const std::string& name) override {
    MR_TRY(rows, all_rows<ExecutionRow>(select_found_.bind(1, machine_name).bind(2, name), execution_at));
    if (rows.empty())
      return fail(ErrorCode::NotFound, "there is no execution '" + machine_name + "/" + name + "'");
    return std::move(rows.front());
  }
  Result<std::vector<ExecutionRow>> executions(const ExecutionFilter& filter, ExecutionId before,
                                               std::size_t limit) override {
    std::string sql = std::string("SELECT ") + kExecutionColumns + " FROM executions WHERE 1";
    if (filter.machine) sql += " AND machine=?1 AND family=(SELECT family FROM machines WHERE id=?1)";
    if (filter.map_run) sql += " AND family=?7";
    if (!filter.map_run) sql += " AND family>0";
    if (!filter.machine_name.empty()) sql += " AND family=(SELECT max(id) FROM state_machines WHERE name=?2)";
    if (filter.status) sql += " AND status=?3";
    // The partial index serves what is not Succeeded; the term must stand in the query for SQLite to use it.
    if (filter.status && *filter.status != states::ExecutionStatus::Succeeded) sql += " AND status<>1";
    if (!filter.name_contains.empty()) sql += " AND instr(name, ?4)>0";
    if (before.value != 0) sql += " AND id<?5";
    if (filter.family) sql += " AND family=?8";
    if (filter.version != 0) sql += " AND version=?9";
    if (!filter.alias.empty()) sql += " AND alias=?10";
    if (filter.redriven.value_or(false)) sql += " AND redrives>0";
    if (!filter.redriven.value_or(true)) sql += " AND redrives=0";
    sql += " ORDER BY id DESC LIMIT ?6";
    MR_TRY(statement, statements_.get(sql));
    if (filter.machine) statement->bind(1, as_signed(filter.machine->value));
    if (!filter.machine_name.empty()) statement->bind(2, filter.machine_name);
    if (filter.status) statement->bind(3, static_cast<std::int64_t>(*filter.status));
    if (!filter.name_contains.empty()) statement->bind(4, filter.name_contains);
    if (before.value != 0) statement->bind(5, as_signed(before.value));
    statement->bind(6, limit_of(limit));
    if (filter.map_run) statement->bind(7, -as_signed(filter.map_run->value));
    if (filter.family) statement->bind(8, as_signed(filter.family->value));
    if (filter.version != 0) statement->bind(9, std::int64_t{filter.version});
    if (!filter.alias.empty()) statement->bind(10, filter.alias);
    return all_rows<ExecutionRow>(*statement, execution_at);
  }
  Result<std::vector<ExecutionRow>> unfinished(ExecutionId after, std::size_t limit) override {
    select_unfinished_.bind(1, as_signed(after.value)).bind(2, limit_of(limit));
    return all_rows<ExecutionRow>(select_unfinished_, execution_at);
  }
  Result<std::vector<ExecutionRow>> children(MapRunId run, ExecutionId after, std::size_t limit) override {
    select_children_.bind(1, -as_signed(run.value)).bind(2, as_signed(after.value)).bind(3, limit_of(limit));
    return all_rows<ExecutionRow>(select_children_, execution_at);
  }
  Result<ExecutionRow> child_named(const std::string& name) override {
    MR_TRY(rows, all_rows<ExecutionRow>(select_child_.bind(1, name), execution_at));
    if (rows.empty())
      return fail(ErrorCode::NotFound, "there is no execution named '" + name + "' of a map run");
    return std::move(rows.front());
  }
  MapRunTable& map_runs() override { return *map_runs_; }
  Result<ExecutionId> last_execution() override {
    MR_TRY(highest, highest_execution(database_));
    return ExecutionId{as_unsigned(highest)};
  }
  Result<RemovedEnded> remove_ended(const RemoveEnded& request) override {
    MR_DO(writable());
    return remove_ended_rows(database_, request);
  }
  Status vacuum(std::size_t pages) override {
    MR_DO(writable());
    return database_.execute(("PRAGMA incremental_vacuum(" + std::to_string(pages) + ")").c_str());
  }
  Status reserve(ExecutionId up_to) override {
    MR_DO(writable());
    MR_TRY(highest, highest_execution(database_));
    return reserve_executions(database_, std::max(highest, as_signed(up_to.value)));
  }

  Catalog& catalog() override { return catalog_; }

  Result<std::string> fact(const std::string& name) override {
    MR_TRY(statement, database_.prepare("SELECT value FROM facts WHERE name=?"));
    MR_TRY(row, statement.bind(1, name).step());
    if (!row) return fail(ErrorCode::NotFound, "the home has no fact '" + name + "'");
    return std::string(statement.text(0));
  }
  Status put_fact(const std::string& name, const std::string& value) override {
    MR_DO(writable());
    MR_TRY(statement,
           database_.prepare(
               "INSERT INTO facts(name, value) VALUES(?,?) ON CONFLICT DO UPDATE SET value=excluded.value"));
    return statement.bind(1, name).bind(2, value).run();
  }

 private:
  static tl::unexpected<Error> incomplete(ExecutionId id) {
    return damaged_store("the history of execution " + std::to_string(id.value) + " has a gap");
  }
  static Error at_execution(Error error, ExecutionId id) {
    error.message = "execution " + std::to_string(id.value) + ": " + error.message;
    return error;
  }
  Status writable() const {
    if (writes_) return {};
    return invalid("the home is open for reading only");
  }

  Result<AppendResult> create(const Append& append) {
    const ExecutionRow& row = append.row;
    MR_TRY(own, family_of(row.machine));
    const std::int64_t family = row.map_run.value != 0 ? -as_signed(row.map_run.value) : own;
    Statement& s = insert_execution_;
    s.bind(1, as_signed(row.id.value))
        .bind(2, as_signed(row.machine.value))
        .bind(3, family)
        .bind(4, row.name);
    s.bind(5, static_cast<std::int64_t>(row.status)).bind(6, to_millis(row.started));
    s.bind_time(7, row.stopped);
    s.bind_time(8, row.due);
    s.bind(9, std::int64_t{row.tasks_out}).bind(10, as_signed(row.events));
    s.bind(11, as_signed(row.map_run.value)).bind(12, std::int64_t{row.map_items});
    s.bind(13, std::int64_t{row.version}).bind(14, row.alias).bind(15, row.started_by);
    MR_DO(s.run());
    if (database_.changes() == 1) return AppendResult::Ok;
    const auto there = execution(row.id);
    if (there) return AppendResult::Conflict;
    if (there.error().code != ErrorCode::NotFound) return fail(there.error());
    return AppendResult::NameTaken;
  }
  Result<AppendResult> extend(const Append& append) {
    const ExecutionRow& row = append.row;
    Statement& s = update_execution_;
    s.bind(1, static_cast<std::int64_t>(row.status));
    s.bind_time(2, row.stopped);
    s.bind_time(3, row.due);
    s.bind(4, std::int64_t{row.tasks_out}).bind(5, as_signed(row.events));
    s.bind(6, std::int64_t{row.redrives});
    s.bind_time(7, row.redriven);
    s.bind(8, as_signed(row.id.value)).bind(9, as_signed(append.expected));
    MR_DO(s.run());
    return database_.changes() == 1 ? AppendResult::Ok : AppendResult::Conflict;
  }
  Status add_history(const Append& append) {
    if (append.events.empty()) return {};
    const std::string packed = encode_events(append.events);
    insert_history_.bind(1, as_signed(append.row.id.value))
        .bind(2, as_signed(append.row.events))
        .bind_blob(3, packed);
    return insert_history_.run();
  }
  Result<std::int64_t> family_of(MachineId machine) {
    const auto known = families_.find(machine);
    if (known != families_.end()) return known->second;
    MR_TRY(statement, database_.prepare("SELECT family FROM machines WHERE id=?"));
    MR_TRY(row, statement.bind(1, as_signed(machine.value)).step());
    if (!row) return invalid("there is no state machine revision " + std::to_string(machine.value));
    return families_[machine] = statement.integer(0);
  }

  Database database_;  // before the statements: closed after them
  bool writes_;
  std::unique_ptr<MapRunTable> map_runs_;
  Statement select_children_, select_child_;
  Statement insert_execution_, update_execution_, insert_history_, select_history_, select_execution_,
      select_named_, select_found_, select_unfinished_;
  SqliteCatalog catalog_;
  Statements statements_{database_};
  std::unordered_map<MachineId, std::int64_t> families_;
  std::chrono::nanoseconds last_sync_{};
};

// The version of the file's tables, 0 for a new file. DataLoss when it is not one of ours, Unavailable when
// it is newer.
Result<int> version_of(Database& database, const std::string& path) {
  MR_TRY(application, number_of(database, "PRAGMA application_id"));
  MR_TRY(version, number_of(database, "PRAGMA user_version"));
  MR_TRY(tables, number_of(database, "SELECT count(*) FROM sqlite_master"));
  if (application == 0 && version == 0 && tables == 0) return 0;
  if (application != kApplicationId) {
    return fail(ErrorCode::DataLoss, path + ": this database was not made by Millrace",
                "choose another home; the file is left as it is");
  }
  if (version > kSchemaVersion) {
    return fail(ErrorCode::Unavailable,
                path + ": written by a newer Millrace (format " + std::to_string(version) +
                    ", this one knows " + std::to_string(kSchemaVersion) + ")",
                "use the newer Millrace; the file is left as it is");
  }
  return static_cast<int>(version);
}

Status migrate(Database& database, int version) {
  for (int step = version; step < kSchemaVersion; ++step) {
    MR_TRY(transaction, Transaction::begin(database));
    MR_DO(database.execute(kSchemaSteps[step]));
    MR_DO(database.execute(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str()));
    MR_DO(database.execute(("PRAGMA user_version=" + std::to_string(step + 1)).c_str()));
    MR_DO(transaction.commit());
  }
  return version == kSchemaVersion ? Status() : database.checkpoint();
}

Result<std::unique_ptr<Store>> store_over(Database database, bool writes) {
  auto store = std::make_unique<SqliteStore>(std::move(database), writes);
  MR_DO(store->prepare());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path) {
  {  // look before touching: opening for writing may change the file
    auto there = Database::open_readonly(path);
    if (!there && there.error().code != ErrorCode::NotFound) return fail(there.error());
    if (there) MR_DO(version_of(*there, path));
  }
  MR_TRY(database, Database::open(path));
  MR_TRY(version, version_of(database, path));
  MR_DO(database.execute(kSettings));
  MR_DO(migrate(database, version));
  // After a failed fsync the log may hold, in memory only, what the disk never got, and the system takes it
  // for written: commits behind it would be lost with it at a power cut. Written anew, it is really there. A
  // full disk is no reason not to start.
  if (const Status settled = database.settle(); !settled && settled.error().code != ErrorCode::OutOfSpace)
    return fail(settled.error());
  return store_over(std::move(database), true);
}

Result<std::unique_ptr<Store>> open_sqlite_store_readonly(const std::string& path) {
  MR_TRY(database, Database::open_readonly(path));
  MR_TRY(version, version_of(database, path));
  if (version != kSchemaVersion) {
    return fail(ErrorCode::Unavailable, path + ": written by an older Millrace",
                "start the server once: it brings the file up to date");
  }
  return store_over(std::move(database), false);
}

}  // namespace millrace::orchestrator
