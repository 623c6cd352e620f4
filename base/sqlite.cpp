#include "base/sqlite.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace millrace {
namespace {

// "PATH: " of a database that is open: an error of the disk is worth the file's name.
std::string place_of(sqlite3* handle) {
  const char* file = handle ? sqlite3_db_filename(handle, "main") : nullptr;
  return file && *file ? std::string(file) + ": " : std::string();
}

Error error_of(sqlite3* handle, int code) {
  const std::string text = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  const std::string place = place_of(handle);
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return {ErrorCode::OutOfSpace, place + "the disk is full: " + text,
              "free some space; nothing was lost"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::Unavailable, "the database is locked: " + text, "another process is using it"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::DataLoss, place + "the database is damaged: " + text,
              "restore it from a backup; it is left as it is"};
    case SQLITE_INTERRUPT:
      return {ErrorCode::Cancelled, "the statement was stopped", {}};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::AlreadyExists, text, {}};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {ErrorCode::InvalidArgument, place + "can't write the database: " + text,
              "check the path and its permissions"};
    case SQLITE_IOERR: {
      // SQLite reports ENOSPC as SQLITE_FULL, but a quota or file size limit only as a failed write. It does
      // not keep the number when a statement fails; the failed call was the last that set errno.
      const int kept = handle ? sqlite3_system_errno(handle) : 0;
      const int cause = kept != 0 ? kept : errno;
      const bool full = cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
      return full ? Error{ErrorCode::OutOfSpace, place + "the disk is full: " + text,
                          "free some space; nothing was lost"}
                  : Error{ErrorCode::Internal, place + "reading or writing failed: " + text,
                          "check the disk; what was acknowledged is there when it can be read again"};
    }
    default:
      return {ErrorCode::Internal, text, {}};
  }
}

constexpr int kSandboxSteps = 4000;  // of SQLite's machine, between two looks at SandboxLimits::stop
constexpr int kSandboxPageBytes = 4096;

bool is_denied_function(const char* name, bool deterministic) {
  if (name == nullptr) return false;
  if (deterministic && (std::string_view(name) == "random" || std::string_view(name) == "randomblob"))
    return true;
  constexpr std::string_view kDenied[] = {"load_extension", "readfile", "writefile", "edit",
                                          "fts3_tokenizer"};
  for (const std::string_view denied : kDenied) {
    if (denied == name) return true;
  }
  return false;
}

// Tables of its own, reading and writing them, functions without a way out.
int authorize_sandbox(void* limits, int action, const char*, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
      return SQLITE_DENY;
    case SQLITE_FUNCTION:
      return is_denied_function(second, static_cast<const SandboxLimits*>(limits)->deterministic)
                 ? SQLITE_DENY
                 : SQLITE_OK;
    default:
      return SQLITE_OK;
  }
}

int ask_sandbox(void* limits) {
  const auto& stop = static_cast<const SandboxLimits*>(limits)->stop;
  return stop && stop() ? 1 : 0;
}

}  // namespace

void Statement::Closer::operator()(sqlite3_stmt* s) const noexcept {
  sqlite3_finalize(s);
}
void Database::Closer::operator()(sqlite3* d) const noexcept {
  sqlite3_close_v2(d);
}

Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), index, value);
  return *this;
}
Statement& Statement::bind(int index, double value) {
  sqlite3_bind_double(handle_.get(), index, value);
  return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(handle_.get(), index, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_blob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(handle_.get(), index, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(handle_.get(), index);
  return *this;
}

Statement& Statement::bind_time(int index, const std::optional<Instant>& time) {
  return time ? bind(index, std::int64_t{to_millis(*time)}) : bind_null(index);
}
std::optional<Instant> Statement::time(int column) const {
  if (is_null(column)) return std::nullopt;
  return from_millis(integer(column));
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = error_of(sqlite3_db_handle(handle_.get()), code);
  sqlite3_reset(handle_.get());
  return fail(std::move(error));
}

Status Statement::run() {
  auto more = step();
  while (more && *more) more = step();
  reset();
  if (!more) return fail(more.error());
  return {};
}

int Statement::columns() const {
  return sqlite3_column_count(handle_.get());
}
std::string_view Statement::name(int column) const {
  const char* p = sqlite3_column_name(handle_.get(), column);
  return p ? std::string_view(p) : std::string_view();
}
Statement::Cell Statement::kind(int column) const {
  switch (sqlite3_column_type(handle_.get(), column)) {
    case SQLITE_INTEGER:
      return Cell::Integer;
    case SQLITE_FLOAT:
      return Cell::Real;
    case SQLITE_TEXT:
      return Cell::Text;
    case SQLITE_BLOB:
      return Cell::Blob;
    default:
      return Cell::Null;
  }
}

void Statement::reset() {
  sqlite3_reset(handle_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(handle_.get(), column);
}
std::string_view Statement::text(int column) const {
  const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  return p ? std::string_view(p, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)))
           : std::string_view();
}
std::string_view Statement::blob(int column) const {
  const auto* p = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  return p ? std::string_view(p, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)))
           : std::string_view();
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path) {
  return open(
      path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
      // The first counts for new files only: what is freed can be given back later, a few pages at a time.
      "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
      "foreign_keys=ON");
}

Result<Database> Database::open_readonly(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return fail(ErrorCode::NotFound, path + ": there is no such file");
  return open(path, SQLITE_OPEN_READONLY, "PRAGMA query_only=ON");
}

Result<Database> Database::open(const std::string& path, int flags, const char* set_up) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database;
  database.handle_.reset(raw);
  const auto at_path = [&](Error error) {
    if (error.message.find(path) == std::string::npos) error.message = path + ": " + error.message;
    return fail(std::move(error));
  };
  if (code != SQLITE_OK) return at_path(error_of(raw, code));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  const auto done = database.execute(set_up);
  if (!done) return at_path(done.error());
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code));
  return Statement(raw);
}

Result<Database> Database::open_sandbox(SandboxLimits limits) {
  MR_TRY(database, open("", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        "PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA "
                        "temp_store=FILE; PRAGMA trusted_schema=OFF"));
  database.sandbox_ = std::make_unique<SandboxLimits>(std::move(limits));
  const SandboxLimits& own = *database.sandbox_;
  const std::string sizes =
      "PRAGMA max_page_count=" +
      std::to_string(std::max<std::int64_t>(own.file_bytes_max / kSandboxPageBytes, 16)) +
      "; PRAGMA cache_size=-" + std::to_string(std::max<std::int64_t>(own.cache_bytes >> 10, 64));
  MR_DO(database.execute(sizes.c_str()));
  sqlite3* handle = database.handle_.get();
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, own.value_bytes_max);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(handle, SQLITE_LIMIT_WORKER_THREADS, 0);
  sqlite3_set_authorizer(handle, authorize_sandbox, database.sandbox_.get());
  sqlite3_progress_handler(handle, kSandboxSteps, ask_sandbox, database.sandbox_.get());
  return database;
}

Result<Statement> Database::prepare_next(std::string_view& script) {
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_.get(), script.data(), static_cast<int>(script.size()), 0, &raw, &tail);
  if (code != SQLITE_OK) {
    Error error = error_of(handle_.get(), code);
    if (code == SQLITE_ERROR || code == SQLITE_AUTH || (code & 0xFF) == SQLITE_ERROR)
      error.code = ErrorCode::InvalidArgument;
    return fail(std::move(error));
  }
  script.remove_prefix(static_cast<std::size_t>(tail - script.data()));
  return Statement(raw);
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code));
  return {};
}

Status Database::checkpoint() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code));
  return {};
}

Status Database::settle() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) return fail(error_of(handle_.get(), code));
  return {};
}

Status Database::copy_to(const std::string& path) {
  // Without a log of its own: the copy is one file.
  MR_TRY(copy, open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "PRAGMA synchronous=FULL"));
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle_.get(), "main", handle_.get(), "main");
  if (!backup) return fail(error_of(copy.handle_.get(), SQLITE_ERROR));
  // All at once: one snapshot of the log, which writers do not wait for. In steps, a write from another
  // process would make it begin again.
  sqlite3_backup_step(backup, -1);
  const int code = sqlite3_backup_finish(backup);
  if (code != SQLITE_OK) return fail(error_of(copy.handle_.get(), code));
  // The copy's header says WAL, as the original's: back to one file that is whole without another.
  return copy.execute("PRAGMA journal_mode=DELETE");
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle_.get());
}

Result<Transaction> Transaction::begin(Database& database) {
  MR_DO(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (!database_) return;
  auto undone = database_->execute("ROLLBACK");
  (void)undone;  // a failed transaction may already be rolled back
}

Status Transaction::commit() {
  MR_DO(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace millrace
