#pragma once
// Handles for SQLite: a database, prepared statements, a transaction that rolls back unless committed. The
// only file that calls sqlite3_* besides its source. One thread at a time per Database (opened without a
// mutex of its own). Statements are always prepared with parameters; nothing builds SQL from values.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace millrace {

// SQLite's integers have a sign; ids and counts of ours keep their bits.
constexpr std::int64_t as_signed(std::uint64_t v) {
  return static_cast<std::int64_t>(v);
}
constexpr std::uint64_t as_unsigned(std::int64_t v) {
  return static_cast<std::uint64_t>(v);
}

// A prepared statement in use: bind, step, read; reset() makes it ready again. Indexes of parameters start at
// 1, of columns at 0. Bound text and blobs are borrowed until the next reset().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);
  Statement& bind_time(int index, const std::optional<Instant>& time);  // milliseconds since 1970, or null
  // True: a row is there. False: done. Error: OutOfSpace for a full disk, Unavailable when locked, DataLoss
  // when the file is damaged, AlreadyExists for a broken unique constraint, else Internal.
  Result<bool> step();
  // For statements without rows: step to the end and reset.
  Status run();
  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::optional<Instant> time(int column) const;  // as bind_time() keeps it
  std::string_view text(int column) const;        // valid until the next step or reset
  std::string_view blob(int column) const;
  bool is_null(int column) const;
  // Of a result: how many columns (0: the statement gives no rows), their names, and what a cell is.
  int columns() const;
  std::string_view name(int column) const;
  enum class Cell { Null, Integer, Real, Text, Blob };
  Cell kind(int column) const;
  // Nothing to do: a script's end, or only comments.
  bool empty() const { return handle_ == nullptr; }

 private:
  struct Closer {
    void operator()(sqlite3_stmt* s) const noexcept;
  };
  std::unique_ptr<sqlite3_stmt, Closer> handle_;
};

// What SQL that users wrote may use (Database::open_sandbox).
struct SandboxLimits {
  std::int64_t file_bytes_max = std::int64_t{8} << 30;  // of the scratch file; OutOfSpace beyond it
  std::int64_t cache_bytes = std::int64_t{64} << 20;    // of memory for its pages
  int value_bytes_max = 64 << 20;                       // of one text
  bool deterministic = false;                           // random() is refused, too
  std::function<bool()> stop = {};                      // asked every few thousand steps; true: Cancelled
};

class Database {
 public:
  Database() = default;
  // Creates the file if needed. WAL journal, synchronous FULL: what a transaction committed survives a power
  // cut.
  static Result<Database> open(const std::string& path);
  // For reading only: changes nothing in the file, works beside a process that writes. NotFound when there is
  // no file.
  static Result<Database> open_readonly(const std::string& path);
  // A database of its own that goes away with its owner, in memory and beyond that in a scratch file that has
  // no name. Its statements can reach nothing else: no ATTACH, PRAGMA, extensions or virtual tables.
  static Result<Database> open_sandbox(SandboxLimits limits);
  Result<Statement> prepare(std::string_view sql);
  // The first statement of a script, which is then shortened to what follows. InvalidArgument: it is no SQL,
  // or not allowed.
  Result<Statement> prepare_next(std::string_view& script);
  Status execute(const char* sql);  // constant text only
  Status checkpoint();              // the whole log into the database file; the log is cut to nothing
  // As much of the log as nobody reads, written and synced into the database file.
  Status settle();
  std::int64_t changes() const;  // rows the last statement changed
  // The database as it is now into a new file, whatever is written meanwhile; flushed. Holds up nobody.
  Status copy_to(const std::string& path);

 private:
  struct Closer {
    void operator()(sqlite3* d) const noexcept;
  };
  static Result<Database> open(const std::string& path, int flags, const char* set_up);
  std::unique_ptr<SandboxLimits> sandbox_;  // its handlers live as long as the handle
  std::unique_ptr<sqlite3, Closer> handle_;
};

// Rolls back in its destructor unless commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace millrace
