#include "tasks/artifacts/content_hashes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <tuple>

#include "base/encoding.h"
#include "base/log.h"
#include "base/sqlite.h"
#include "base/time.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadAtOnce = std::size_t{1} << 20;
constexpr std::int64_t kRememberedMax = 1'000'000;  // files; the oldest are forgotten
constexpr std::int64_t kSettledNanos = 20'000'000;  // twice the tick of the slowest kernel clock
constexpr std::int64_t kMilli = 1'000'000, kNanos = 1'000'000'000;

// What makes a file the one that was read.
struct Identity {
  std::int64_t bytes = 0, modified = 0, changed = 0, inode = 0;
  bool operator==(const Identity&) const = default;
};

struct HashedFile {
  explicit HashedFile(const fs::path& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~HashedFile() {
    if (fd >= 0) ::close(fd);
  }
  HashedFile(const HashedFile&) = delete;
  HashedFile& operator=(const HashedFile&) = delete;
  int fd;
};

std::optional<Identity> identity_of(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  const auto nanos = [](const timespec& t) { return std::int64_t{t.tv_sec} * kNanos + t.tv_nsec; };
  return Identity{status.st_size, nanos(status.st_mtim), nanos(status.st_ctim),
                  static_cast<std::int64_t>(status.st_ino)};
}

tl::unexpected<Error> cant_read(const fs::path& path, int code) {
  return fail(code == ENOENT || code == ENOTDIR ? ErrorCode::NotFound : ErrorCode::DataLoss,
              "can't read " + path.string() + ": " + std::strerror(code));
}

constexpr const char* kHashSchema =
    "CREATE TABLE IF NOT EXISTS file ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,"
    " modified INTEGER NOT NULL, changed INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT NOT NULL)";

}  // namespace

// The database, or memory alone when there is none.
struct ContentHashes::Store {
  struct Known {
    Identity identity;
    std::string sha256;
  };
  std::map<std::string, Known, std::less<>> fresh;  // of this process
  std::vector<std::string> unsaved;
  Database database;
  Statement select, replace, prune;
  bool saved = false;  // there is a database

  Status open(const std::string& path) {
    MR_TRY(opened, Database::open(path));
    database = std::move(opened);
    MR_DO(database.execute(kHashSchema));
    const std::tuple<Statement&, std::string_view> statements[] = {
        {select, "SELECT bytes, modified, changed, inode, sha256 FROM file WHERE path = ?1"},
        {replace,
         "REPLACE INTO file (path, bytes, modified, changed, inode, sha256) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
        {prune, "DELETE FROM file WHERE number <= (SELECT max(number) FROM file) - ?1"}};
    for (const auto& [statement, sql] : statements) {
      MR_TRY(prepared, database.prepare(sql));
      statement = std::move(prepared);
    }
    saved = true;
    return {};
  }

  std::string find(const std::string& path, const Identity& identity) {
    const auto known = fresh.find(path);
    if (known != fresh.end()) return known->second.identity == identity ? known->second.sha256 : "";
    if (!saved) return {};
    select.bind(1, std::string_view(path));
    std::string sha256;
    const auto there = select.step();
    if (there && *there &&
        Identity{select.integer(0), select.integer(1), select.integer(2), select.integer(3)} == identity)
      sha256 = select.text(4);
    select.reset();
    return sha256;
  }

  Status save() {
    if (!saved || unsaved.empty()) return {};
    MR_TRY(transaction, Transaction::begin(database));
    for (const std::string& path : unsaved) {
      const Known& known = fresh.at(path);
      replace.bind(1, std::string_view(path))
          .bind(2, known.identity.bytes)
          .bind(3, known.identity.modified)
          .bind(4, known.identity.changed)
          .bind(5, known.identity.inode)
          .bind(6, std::string_view(known.sha256));
      MR_DO(replace.run());
    }
    prune.bind(1, kRememberedMax);
    MR_DO(prune.run());
    MR_DO(transaction.commit());
    unsaved.clear();
    fresh.clear();
    return {};
  }
};

ContentHashes::ContentHashes(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
ContentHashes::~ContentHashes() = default;

std::uint64_t ContentHashes::bytes_read() const {
  const std::lock_guard lock(mutex_);
  return bytes_read_;
}

namespace {

struct ReadHash {
  Identity identity;
  std::string sha256;
  bool still = false;  // it was the same file when it had been read
};

Result<ReadHash> read_hash(const fs::path& path, const std::function<bool()>& cancelled) {
  const HashedFile file(path);
  struct stat before {};
  if (file.fd < 0 || ::fstat(file.fd, &before) != 0) return cant_read(path, errno);
  const auto identity = identity_of(before);
  if (!identity) return fail(ErrorCode::NotFound, path.string() + " is not a file");
  Sha256 hash;
  std::string buffer(kReadAtOnce, '\0');
  for (;;) {
    if (cancelled && cancelled()) return fail(ErrorCode::Cancelled, "stopped while reading " + path.string());
    const ssize_t got = ::read(file.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cant_read(path, errno);
    if (got == 0) break;
    hash.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
  struct stat after {};
  const bool known = ::fstat(file.fd, &after) == 0;
  return ReadHash{*identity, hash.finish_hex(), known && identity_of(after) == identity};
}

}  // namespace

Result<std::vector<FileHash>> ContentHashes::of(const std::vector<fs::path>& paths,
                                                const std::function<bool()>& cancelled) {
  std::vector<FileHash> hashes;
  std::unique_lock lock(mutex_);
  if (!store_) {
    store_ = std::make_unique<Store>();
    const Status opened = path_.empty() ? Status() : store_->open(path_);
    if (!opened) log::warning("hashes of files are not remembered", {{"why", opened.error().message}});
  }
  for (const fs::path& path : paths) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return cant_read(path, errno);
    const auto identity = identity_of(status);
    if (!identity) return fail(ErrorCode::NotFound, path.string() + " is not a file");
    const std::string name = path.string();
    if (std::string known = store_->find(name, *identity); !known.empty()) {
      hashes.push_back({std::move(known), static_cast<std::uint64_t>(identity->bytes)});
      continue;
    }
    lock.unlock();  // others need not wait while a file is read
    const std::int64_t settled = to_millis(clock_.now()) * kMilli - kSettledNanos;
    const auto read = read_hash(path, cancelled);
    lock.lock();
    if (!read) return fail(read.error());
    bytes_read_ += static_cast<std::uint64_t>(read->identity.bytes);
    hashes.push_back({read->sha256, static_cast<std::uint64_t>(read->identity.bytes)});
    const Identity& was = read->identity;
    if (!read->still || std::max(was.modified, was.changed) > settled) continue;
    store_->fresh[name] = {was, read->sha256};
    if (store_->saved) store_->unsaved.push_back(name);
  }
  const Status saved = store_->save();
  if (!saved) log::warning("hashes of files are not remembered", {{"why", saved.error().message}});
  return hashes;
}

}  // namespace millrace::tasks
