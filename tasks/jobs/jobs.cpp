#include "tasks/jobs/jobs.h"

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
  std::mutex write_mutex;  // over the writing connection
  Database writer;
  Statement insert, replace, select_to_modify, erase;
  mutable std::mutex read_mutex;  // over the reading connection
  Database reader;
  Statement select, select_list;
  std::mutex claims_mutex;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>, std::less<>> claims;
};

namespace {

// The number orders records by their creation; names are unique within a kind.
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS record ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT "
    "NULL,"
    " UNIQUE (kind, name))";

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
                   const Json& document) {
  const std::string text = dump(document);
  replace.bind(1, std::string_view(text)).bind(2, kind).bind(3, name);
  MR_DO(replace.run());
  if (database.changes() == 0) return not_found(kind, name);
  return {};
}

}  // namespace

Jobs::Jobs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Jobs::~Jobs() = default;

Result<std::unique_ptr<Jobs>> Jobs::open(const std::string& path) {
  auto state = std::make_unique<State>();
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
      {state->reader, state->select, kSelect},
      {state->reader, state->select_list,
       "SELECT name, document FROM record WHERE kind = ?1 AND name >= ?2 AND (?3 = '' OR name < ?3)"
       " ORDER BY number DESC LIMIT ?4"},
  };
  for (const auto& [database, statement, sql] : statements) {
    MR_TRY(prepared, database.prepare(sql));
    statement = std::move(prepared);
  }
  return std::unique_ptr<Jobs>(new Jobs(std::move(state)));
}

Status Jobs::create(std::string_view kind, std::string_view name, const Json& document) {
  const std::string text = dump(document);
  const std::lock_guard lock(state_->write_mutex);
  state_->insert.bind(1, kind).bind(2, name).bind(3, std::string_view(text));
  const Status done = state_->insert.run();
  if (!done && done.error().code == ErrorCode::AlreadyExists)
    return fail(ErrorCode::AlreadyExists, std::string(kind) + " \"" + std::string(name) + "\" already exists",
                "choose another name");
  return done;
}

Status Jobs::update(std::string_view kind, std::string_view name, const Json& document) {
  const std::lock_guard lock(state_->write_mutex);
  return replace_one(state_->replace, state_->writer, kind, name, document);
}

Result<Json> Jobs::find(std::string_view kind, std::string_view name) const {
  const std::lock_guard lock(state_->read_mutex);
  return select_one(state_->select, kind, name);
}

Status Jobs::remove(std::string_view kind, std::string_view name) {
  const std::lock_guard lock(state_->write_mutex);
  state_->erase.bind(1, kind).bind(2, name);
  MR_DO(state_->erase.run());
  if (state_->writer.changes() == 0) return not_found(kind, name);
  return {};
}

// One process owns the file, so the mutex makes the step whole; the write itself is one statement.
Result<Json> Jobs::modify(std::string_view kind, std::string_view name,
                          const std::function<Status(Json&)>& change) {
  const std::lock_guard lock(state_->write_mutex);
  MR_TRY(document, select_one(state_->select_to_modify, kind, name));
  MR_DO(change(document));
  MR_DO(replace_one(state_->replace, state_->writer, kind, name, document));
  return document;
}

Result<std::vector<Json>> Jobs::list(std::string_view kind, std::string_view prefix,
                                     std::size_t limit) const {
  const std::string end = end_of_prefix(std::string(prefix));
  std::vector<Json> documents;
  const std::lock_guard lock(state_->read_mutex);
  Statement& select = state_->select_list;
  const Reset reset{select};
  select.bind(1, kind)
      .bind(2, prefix)
      .bind(3, std::string_view(end))
      .bind(4, static_cast<std::int64_t>(limit));
  for (;;) {
    MR_TRY(there, select.step());
    if (!there) return documents;
    MR_TRY(document, parse_document(kind, select.text(0), select.text(1)));
    documents.push_back(std::move(document));
  }
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
