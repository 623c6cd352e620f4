#include "tasks/jobs/jobs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/sqlite.h"

namespace millrace::tasks {

// SQLite handles take one thread at a time, so each connection has its lock; readers don't wait for a
// writer's disk.
struct Jobs::State {
  std::filesystem::path directory;
  StateOf state_of = nullptr;
  Written on_write;
  std::mutex write_mutex;  // over the writing connection
  Database writer;
  Statement insert, replace, select_to_modify, erase, insert_change, erase_change, insert_metric,
      erase_metrics;
  mutable std::mutex read_mutex;  // over the reading connection
  Database reader;
  Statement select, select_list, select_steps, select_changes, select_metrics, select_summaries;
  std::mutex claims_mutex;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>, std::less<>> claims;
};

namespace {

// The number orders records by their creation; names are unique within a kind. A change holds its record's
// document of that moment.
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS record ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT "
    "NULL,"
    " UNIQUE (kind, name));"
    "CREATE INDEX IF NOT EXISTS record_step ON record (kind, CASE WHEN json_valid(document) THEN"
    " json_extract(document, '$.Millrace.Step.Key') END, number);"
    "CREATE TABLE IF NOT EXISTS change ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, removed INTEGER NOT "
    "NULL, document TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS metric ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, component TEXT NOT NULL, name TEXT NOT NULL, time INTEGER "
    "NOT "
    "NULL, step INTEGER, value REAL NOT NULL);"
    "CREATE INDEX IF NOT EXISTS metric_component ON metric (component, name, number)";

tl::unexpected<Error> not_found(std::string_view kind, std::string_view name) {
  return fail(ErrorCode::NotFound, "Could not find " + std::string(kind) + " \"" + std::string(name) + "\"");
}

Result<Json> parse_document(std::string_view kind, std::string_view name, std::string_view text) {
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded())
    return fail(ErrorCode::DataLoss,
                "the record of " + std::string(kind) + " \"" + std::string(name) + "\" is not JSON");
  return document;
}

std::string dump(const Json& document) {
  return std::string(to_payload(document).text());
}

std::string claim_id(std::string_view kind, std::string_view name) {
  return std::string(kind) + "/" + std::string(name);
}

// What follows every text that begins with `prefix`, or empty when nothing does.
std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// The statement is made ready again however its use ends.
struct Reset {
  Statement& statement;
  ~Reset() { statement.reset(); }
};

Result<Json> select_one(Statement& select, std::string_view kind, std::string_view name) {
  const Reset reset{select};
  select.bind(1, kind).bind(2, name);
  MR_TRY(there, select.step());
  if (!there) return not_found(kind, name);
  return parse_document(kind, name, select.text(0));
}

Status replace_one(Statement& replace, const Database& database, std::string_view kind, std::string_view name,
                   const std::string& text) {
  replace.bind(1, std::string_view(text)).bind(2, kind).bind(3, name);
  MR_DO(replace.run());
  if (database.changes() == 0) return not_found(kind, name);
  return {};
}

}  // namespace

Jobs::Jobs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Jobs::~Jobs() = default;

Result<std::unique_ptr<Jobs>> Jobs::open(const std::string& path, StateOf state_of) {
  auto state = std::make_unique<State>();
  state->state_of = state_of;
  state->directory = std::filesystem::path(path).parent_path();
  MR_TRY(writer, Database::open(path));
  state->writer = std::move(writer);
  MR_DO(state->writer.execute(kSchema));
  MR_TRY(reader, Database::open(path));
  state->reader = std::move(reader);
  constexpr std::string_view kSelect = "SELECT document FROM record WHERE kind = ?1 AND name = ?2";
  const std::tuple<Database&, Statement&, std::string_view> statements[] = {
      {state->writer, state->insert, "INSERT INTO record (kind, name, document) VALUES (?1, ?2, ?3)"},
      {state->writer, state->replace, "UPDATE record SET document = ?1 WHERE kind = ?2 AND name = ?3"},
      {state->writer, state->select_to_modify, kSelect},
      {state->writer, state->erase, "DELETE FROM record WHERE kind = ?1 AND name = ?2"},
      {state->writer, state->insert_change,
       "INSERT INTO change (kind, name, removed, document) VALUES (?1, ?2, ?3, ?4)"},
      {state->writer, state->erase_change, "DELETE FROM change WHERE number = ?1"},
      {state->writer, state->insert_metric,
       "INSERT INTO metric (component, name, time, step, value) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {state->writer, state->erase_metrics, "DELETE FROM metric WHERE component = ?1"},
      {state->reader, state->select, kSelect},
      {state->reader, state->select_list,
       "SELECT name, document, number FROM record WHERE kind = ?1 AND name >= ?2 AND (?3 = '' OR name < ?3)"
       " ORDER BY number DESC LIMIT ?4"},
      {state->reader, state->select_steps,
       "SELECT name, document, number FROM record WHERE kind = ?1 AND CASE WHEN json_valid(document) THEN"
       " json_extract(document, '$.Millrace.Step.Key') END = ?2"
       " AND json_extract(document, '$.Millrace.Step.Cache.Result') IS NOT 'hit' ORDER BY number DESC LIMIT "
       "?3"},
      {state->reader, state->select_changes,
       "SELECT number, kind, name, removed, document FROM change ORDER BY number LIMIT ?1"},
      {state->reader, state->select_metrics,
       "SELECT name, time, step, value FROM metric WHERE component = ?1 AND name = ?2 ORDER BY number"},
      {state->reader, state->select_summaries,
       "SELECT a.name, l.time, a.count, a.least, a.most, l.value, a.mean, a.mean_square FROM (SELECT name,"
       " count(*) AS count, min(value) AS least, max(value) AS most, avg(value) AS mean,"
       " avg(value * value) AS mean_square, max(number) AS last"
       " FROM metric WHERE component = ?1 GROUP BY name) a JOIN metric l ON l.number = a.last ORDER BY "
       "a.name"},
  };
  for (const auto& [database, statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    statement = std::move(prepared);
  }
  return std::unique_ptr<Jobs>(new Jobs(std::move(state)));
}

void Jobs::on_write(Written call) {
  state_->on_write = std::move(call);
}

void Jobs::written(std::string_view kind, std::string_view name, bool removed) const {
  if (state_->on_write) state_->on_write(kind, name, removed);
}

// With the writing connection in hand: `write`, and with it the change that it makes to the record's state.
template <class Write>
Status Jobs::write(std::string_view kind, std::string_view name, std::string before, const Json& after,
                   bool removed, Write write) {
  const std::string state = state_->state_of ? state_->state_of(kind, after) : std::string();
  if (state.empty() || (state == before && !removed)) return write();
  MR_TRY(transaction, Transaction::begin(state_->writer));
  MR_DO(write());
  const std::string text = dump(after);
  state_->insert_change.bind(1, kind)
      .bind(2, name)
      .bind(3, std::int64_t{removed})
      .bind(4, std::string_view(text));
  MR_DO(state_->insert_change.run());
  return transaction.commit();
}

Status Jobs::create(std::string_view kind, std::string_view name, const Json& document) {
  const std::string text = dump(document);
  const Status done = [&] {
    const std::lock_guard lock(state_->write_mutex);
    return write(kind, name, {}, document, false, [&] {
      state_->insert.bind(1, kind).bind(2, name).bind(3, std::string_view(text));
      return state_->insert.run();
    });
  }();
  if (done) written(kind, name, false);
  if (!done && done.error().code == ErrorCode::AlreadyExists)
    return fail(ErrorCode::AlreadyExists, std::string(kind) + " \"" + std::string(name) + "\" already exists",
                "choose another name");
  return done;
}

Status Jobs::update(std::string_view kind, std::string_view name, const Json& document) {
  const auto done = modify(kind, name, [&](Json& record) -> Status {
    record = document;
    return {};
  });
  if (!done) return fail(done.error());
  return {};
}

Result<Json> Jobs::find(std::string_view kind, std::string_view name) const {
  const std::lock_guard lock(state_->read_mutex);
  return select_one(state_->select, kind, name);
}

Status Jobs::remove(std::string_view kind, std::string_view name) {
  {
    const std::lock_guard lock(state_->write_mutex);
    MR_TRY(document, select_one(state_->select_to_modify, kind, name));
    MR_DO(write(kind, name, {}, document, true, [&] {
      state_->erase.bind(1, kind).bind(2, name);
      return state_->erase.run();
    }));
  }
  written(kind, name, true);
  return {};
}

// One process owns the file, so the mutex makes the step whole.
Result<Json> Jobs::modify(std::string_view kind, std::string_view name,
                          const std::function<Status(Json&)>& change) {
  Result<Json> changed = [&]() -> Result<Json> {
    const std::lock_guard lock(state_->write_mutex);
    MR_TRY(document, select_one(state_->select_to_modify, kind, name));
    const std::string before = state_->state_of ? state_->state_of(kind, document) : std::string();
    MR_DO(change(document));
    MR_DO(write(kind, name, before, document, false,
                [&] { return replace_one(state_->replace, state_->writer, kind, name, dump(document)); }));
    return document;
  }();
  if (changed) written(kind, name, false);
  return changed;
}

Result<std::vector<Jobs::Record>> Jobs::records(std::string_view kind, std::string_view prefix,
                                                std::size_t limit) const {
  const std::string end = end_of_prefix(std::string(prefix));
  std::vector<Record> records;
  const std::lock_guard lock(state_->read_mutex);
  Statement& select = state_->select_list;
  const Reset reset{select};
  select.bind(1, kind)
      .bind(2, prefix)
      .bind(3, std::string_view(end))
      .bind(4, static_cast<std::int64_t>(limit));
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return records;
    MR_TRY(document, parse_document(kind, select.text(0), select.text(1)));
    records.push_back({select.integer(2), std::move(document)});
  }
}

Result<std::vector<Jobs::Record>> Jobs::steps(std::string_view kind, std::string_view key,
                                              std::size_t limit) const {
  std::vector<Record> records;
  const std::lock_guard lock(state_->read_mutex);
  Statement& select = state_->select_steps;
  const Reset reset{select};
  select.bind(1, kind).bind(2, key).bind(3, static_cast<std::int64_t>(limit));
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return records;
    MR_TRY(document, parse_document(kind, select.text(0), select.text(1)));
    records.push_back({select.integer(2), std::move(document)});
  }
}

Result<std::vector<Json>> Jobs::list(std::string_view kind, std::string_view prefix,
                                     std::size_t limit) const {
  MR_TRY(found, records(kind, prefix, limit));
  std::vector<Json> documents;
  for (Record& record : found) documents.push_back(std::move(record.document));
  return documents;
}

Result<std::vector<Jobs::Change>> Jobs::changes(std::size_t limit) const {
  std::vector<Change> changes;
  const std::lock_guard lock(state_->read_mutex);
  Statement& select = state_->select_changes;
  const Reset reset{select};
  select.bind(1, static_cast<std::int64_t>(limit));
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return changes;
    MR_TRY(document, parse_document(select.text(1), select.text(2), select.text(4)));
    changes.push_back({select.integer(0), std::string(select.text(1)), std::string(select.text(2)),
                       select.integer(3) != 0, std::move(document)});
  }
}

Status Jobs::forget_change(std::int64_t number) {
  const std::lock_guard lock(state_->write_mutex);
  state_->erase_change.bind(1, number);
  return state_->erase_change.run();
}

Status Jobs::add_metrics(std::string_view component, const std::vector<MetricValue>& values) {
  const std::lock_guard lock(state_->write_mutex);
  MR_TRY(transaction, Transaction::begin(state_->writer));
  for (const MetricValue& value : values) {
    Statement& insert = state_->insert_metric;
    insert.bind(1, component)
        .bind(2, std::string_view(value.metric))
        .bind(3, value.time_ms)
        .bind(5, value.value);
    value.step ? insert.bind(4, *value.step) : insert.bind_null(4);
    MR_DO(insert.run());
  }
  return transaction.commit();
}

Result<std::vector<Jobs::MetricValue>> Jobs::metrics(std::string_view component,
                                                     std::string_view metric) const {
  std::vector<MetricValue> values;
  const std::lock_guard lock(state_->read_mutex);
  Statement& select = state_->select_metrics;
  const Reset reset{select};
  select.bind(1, component).bind(2, metric);
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return values;
    MetricValue value{std::string(select.text(0)), select.integer(1), std::nullopt, select.real(3)};
    if (!select.is_null(2)) value.step = select.integer(2);
    values.push_back(std::move(value));
  }
}

Result<std::vector<Jobs::MetricSummary>> Jobs::metric_summaries(std::string_view component) const {
  std::vector<MetricSummary> summaries;
  const std::lock_guard lock(state_->read_mutex);
  Statement& select = state_->select_summaries;
  const Reset reset{select};
  select.bind(1, component);
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return summaries;
    MetricSummary summary;
    summary.metric = select.text(0);
    summary.time_ms = select.integer(1), summary.count = select.integer(2);
    summary.min = select.real(3), summary.max = select.real(4), summary.last = select.real(5);
    summary.mean = select.real(6);
    summary.deviation = std::sqrt(std::max(0.0, select.real(7) - summary.mean * summary.mean));
    summaries.push_back(std::move(summary));
  }
}

Status Jobs::remove_metrics(std::string_view component) {
  const std::lock_guard lock(state_->write_mutex);
  state_->erase_metrics.bind(1, component);
  return state_->erase_metrics.run();
}

std::unique_ptr<Jobs::Claim> Jobs::claim(std::string_view kind, std::string_view name) {
  const std::lock_guard lock(state_->claims_mutex);
  std::string id = claim_id(kind, name);
  auto [place, fresh] = state_->claims.try_emplace(id, nullptr);
  if (!fresh) return nullptr;
  place->second = std::make_shared<std::atomic<bool>>(false);
  return std::unique_ptr<Claim>(new Claim(*this, std::move(id), place->second));
}

Jobs::Claim::~Claim() {
  const std::lock_guard lock(jobs_->state_->claims_mutex);
  jobs_->state_->claims.erase(id_);
}

bool Jobs::request_stop(std::string_view kind, std::string_view name) {
  const std::lock_guard lock(state_->claims_mutex);
  const auto found = state_->claims.find(claim_id(kind, name));
  if (found == state_->claims.end()) return false;
  found->second->store(true, std::memory_order_relaxed);
  return true;
}

std::filesystem::path Jobs::log_path(std::string_view kind, std::string_view name) const {
  return state_->directory / "logs" / std::string(kind) / (std::string(name) + ".log");
}

std::filesystem::path Jobs::scratch_path(std::string_view kind, std::string_view name) const {
  return state_->directory / "scratch" / std::string(kind) / std::string(name);
}

}  // namespace millrace::tasks
