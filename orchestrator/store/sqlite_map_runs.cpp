#include "orchestrator/store/sqlite_map_runs.h"

namespace millrace::orchestrator {
namespace {

constexpr char kRunColumns[] =
    "id, arn, execution_arn, execution, frame, visit, attempt, machine, state, express, status, started, "
    "stopped, concurrency, tolerated_count, tolerated_percentage, redrives, redriven, counts, output, error, "
    "cause";

// The counts of an ended run as one text: numbers in the order of the members, children then items.
constexpr std::int64_t MapRunCounts::*kCounts[] = {
    &MapRunCounts::pending,         &MapRunCounts::running,        &MapRunCounts::succeeded,
    &MapRunCounts::failed,          &MapRunCounts::timed_out,      &MapRunCounts::aborted,
    &MapRunCounts::results_written, &MapRunCounts::not_redrivable, &MapRunCounts::pending_redrive};

std::string counts_text(const MapRunCounts& children, const MapRunCounts& items) {
  JsonWriter out;
  out.begin_array();
  for (const MapRunCounts* counts : {&children, &items}) {
    for (const auto member : kCounts) out.number(counts->*member);
  }
  return std::string(out.end_array().finish().text());
}

void read_counts(std::string_view text, MapRunRow& run) {
  const auto document = Payload::parse(text);
  if (!document || !document->view().is_array()) return;
  std::size_t at = 0;
  for (const JsonView number : document->view().elements()) {
    if (at >= 2 * std::size(kCounts)) return;
    MapRunCounts& counts = at < std::size(kCounts) ? run.children : run.items;
    counts.*kCounts[at % std::size(kCounts)] = number.integer().value_or(0);
    ++at;
  }
}

void bind_document(Statement& into, int index, const std::optional<Payload>& document) {
  if (document) {
    into.bind(index, document->text());
  } else {
    into.bind_null(index);
  }
}
// A failure in two columns. NULL in both: none; the error's absence is told by the cause, and the other way
// round.
void bind_failure(Statement& into, int index, const std::optional<Failure>& failure) {
  if (failure && (failure->has_error || !failure->has_cause)) {
    into.bind(index, std::string_view(failure->error));
  } else {
    into.bind_null(index);
  }
  if (failure && failure->has_cause) {
    into.bind(index + 1, std::string_view(failure->cause));
  } else {
    into.bind_null(index + 1);
  }
}
std::optional<Failure> failure_at(const Statement& from, int column) {
  if (from.is_null(column) && from.is_null(column + 1)) return std::nullopt;
  Failure failure;
  failure.error = from.text(column);
  failure.cause = from.text(column + 1);
  failure.has_error = !from.is_null(column) && !failure.error.empty();
  failure.has_cause = !from.is_null(column + 1);
  return failure;
}
Result<std::optional<Payload>> document_at(const Statement& from, int column) {
  if (from.is_null(column)) return std::optional<Payload>();
  auto document = Payload::parse(from.text(column));
  if (!document)
    return fail(ErrorCode::DataLoss, "a document of a map run is damaged: " + document.error().message);
  return std::optional<Payload>(std::move(*document));
}

Result<MapRunRow> run_at(const Statement& from) {
  MapRunRow run;
  run.id = MapRunId{as_unsigned(from.integer(0))};
  run.arn = from.text(1);
  run.execution_arn = from.text(2);
  run.execution = ExecutionId{as_unsigned(from.integer(3))};
  run.frame = FrameId{as_unsigned(from.integer(4))};
  run.visit = as_unsigned(from.integer(5));
  run.attempt = static_cast<std::uint32_t>(from.integer(6));
  run.machine = MachineId{as_unsigned(from.integer(7))};
  run.state = from.text(8);
  run.express = from.integer(9) != 0;
  if (from.integer(10) < 0 || from.integer(10) > static_cast<std::int64_t>(MapRunStatus::Aborted))
    return fail(ErrorCode::DataLoss, "the row of map run " + run.arn + " is damaged");
  run.status = static_cast<MapRunStatus>(from.integer(10));
  run.started = from_millis(from.integer(11));
  run.stopped = from.time(12);
  run.concurrency = from.integer(13);
  run.tolerated_count = from.integer(14);
  run.tolerated_percentage = from.real(15);
  run.redrives = static_cast<std::uint32_t>(from.integer(16));
  run.redriven = from.time(17);
  read_counts(from.text(18), run);
  MR_TRY(output, document_at(from, 19));
  run.output = std::move(output);
  run.failure = failure_at(from, 20);
  return run;
}

Result<MapResultRow> result_at(const Statement& from, bool documents) {
  MapResultRow row;
  row.index = static_cast<std::uint32_t>(from.integer(0));
  row.name = from.text(1);
  row.status = static_cast<states::ExecutionStatus>(from.integer(2));
  row.items = static_cast<std::uint32_t>(from.integer(3));
  row.started = from_millis(from.integer(4));
  row.stopped = from_millis(from.integer(5));
  if (!documents) return row;
  MR_TRY(input, document_at(from, 6));
  MR_TRY(output, document_at(from, 7));
  row.input = std::move(input);
  row.output = std::move(output);
  row.failure = failure_at(from, 8);
  return row;
}

class SqliteMapRuns final : public MapRunTable {
 public:
  SqliteMapRuns(Database& database, bool writes) : database_(database), writes_(writes) {}

  Result<MapRunRow> put(MapRunRow run) override {
    MR_DO(writable());
    if (run.id.value == 0) {
      MR_TRY(highest, database_.prepare("SELECT max(id) FROM map_runs"));
      MR_TRY(row, highest.step());
      run.id = MapRunId{row ? as_unsigned(highest.integer(0)) + 1 : 1};
    }
    MR_TRY(statement, database_.prepare(std::string("INSERT OR REPLACE INTO map_runs(") + kRunColumns +
                                        ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
    const std::string counts = counts_text(run.children, run.items);
    statement.bind(1, as_signed(run.id.value))
        .bind(2, std::string_view(run.arn))
        .bind(3, std::string_view(run.execution_arn))
        .bind(4, as_signed(run.execution.value))
        .bind(5, as_signed(run.frame.value))
        .bind(6, as_signed(run.visit))
        .bind(7, std::int64_t{run.attempt})
        .bind(8, as_signed(run.machine.value))
        .bind(9, std::string_view(run.state))
        .bind(10, std::int64_t{run.express})
        .bind(11, static_cast<std::int64_t>(run.status))
        .bind(12, to_millis(run.started));
    statement.bind_time(13, run.stopped);
    statement.bind(14, run.concurrency).bind(15, run.tolerated_count).bind(16, run.tolerated_percentage);
    statement.bind(17, std::int64_t{run.redrives});
    statement.bind_time(18, run.redriven);
    statement.bind(19, std::string_view(counts));
    bind_document(statement, 20, run.output);
    bind_failure(statement, 21, run.failure);
    MR_DO(statement.run());
    return run;
  }
  Result<MapRunRow> get(MapRunId id) override {
    MR_TRY(statement, database_.prepare(select() + " WHERE id=?"));
    statement.bind(1, as_signed(id.value));
    return one(statement, "there is no map run " + std::to_string(id.value));
  }
  Result<MapRunRow> find(const std::string& arn) override {
    MR_TRY(statement, database_.prepare(select() + " WHERE arn=?"));
    statement.bind(1, std::string_view(arn));
    return one(statement, "Resource not found: '" + arn + "'");
  }
  Result<std::vector<MapRunRow>> of(ExecutionId execution, MapRunId before, std::size_t limit) override {
    MR_TRY(statement,
           database_.prepare(select() + " WHERE execution=? AND (?2=0 OR id<?2) ORDER BY id DESC LIMIT ?"));
    statement.bind(1, as_signed(execution.value)).bind(2, as_signed(before.value)).bind(3, limit_of(limit));
    return all(statement);
  }
  Result<std::vector<MapRunRow>> running() override {
    MR_TRY(statement, database_.prepare(select() + " WHERE status=0 ORDER BY id"));
    return all(statement);
  }

  Status add_results(MapRunId run, std::span<const MapResultRow> results) override {
    MR_DO(writable());
    MR_TRY(transaction, Transaction::begin(database_));
    MR_TRY(statement,
           database_.prepare("INSERT OR REPLACE INTO map_results(run, number, name, status, items, "
                             "started, stopped, input, output, error, cause) "
                             "VALUES(?,?,?,?,?,?,?,?,?,?,?)"));
    for (const MapResultRow& row : results) {
      statement.bind(1, as_signed(run.value))
          .bind(2, std::int64_t{row.index})
          .bind(3, std::string_view(row.name))
          .bind(4, static_cast<std::int64_t>(row.status))
          .bind(5, std::int64_t{row.items})
          .bind(6, to_millis(row.started))
          .bind(7, to_millis(row.stopped));
      bind_document(statement, 8, row.input);
      bind_document(statement, 9, row.output);
      bind_failure(statement, 10, row.failure);
      MR_DO(statement.run());
    }
    return transaction.commit();
  }
  Result<std::vector<MapResultRow>> results(MapRunId run, std::uint32_t first, std::size_t limit,
                                            bool documents) override {
    MR_TRY(statement,
           database_.prepare(
               documents ? "SELECT number, name, status, items, started, stopped, input, output, error, "
                           "cause FROM map_results WHERE run=? AND number>=? ORDER BY number LIMIT ?"
                         : "SELECT number, name, status, items, started, stopped FROM map_results WHERE "
                           "run=? AND number>=? ORDER BY number LIMIT ?"));
    statement.bind(1, as_signed(run.value)).bind(2, std::int64_t{first}).bind(3, limit_of(limit));
    std::vector<MapResultRow> rows;
    for (;;) {
      MR_TRY(there, statement.step());
      if (!there) return rows;
      MR_TRY(row, result_at(statement, documents));
      rows.push_back(std::move(row));
    }
  }

 private:
  static std::string select() {
    std::string sql = "SELECT ";
    return sql.append(kRunColumns).append(" FROM map_runs");
  }
  static std::int64_t limit_of(std::size_t limit) {
    return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::size_t{1} << 40));
  }
  static Result<MapRunRow> one(Statement& statement, std::string none) {
    MR_TRY(there, statement.step());
    if (!there) return fail(ErrorCode::NotFound, std::move(none));
    return run_at(statement);
  }
  static Result<std::vector<MapRunRow>> all(Statement& statement) {
    std::vector<MapRunRow> rows;
    for (;;) {
      MR_TRY(there, statement.step());
      if (!there) return rows;
      MR_TRY(row, run_at(statement));
      rows.push_back(std::move(row));
    }
  }
  Status writable() const {
    if (writes_) return {};
    return invalid("the home is open for reading only");
  }

  Database& database_;
  bool writes_;
};

}  // namespace

std::unique_ptr<MapRunTable> make_sqlite_map_runs(Database& database, bool writes) {
  return std::make_unique<SqliteMapRuns>(database, writes);
}

}  // namespace millrace::orchestrator
