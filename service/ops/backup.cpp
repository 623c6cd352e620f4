#include "service/ops/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/encoding.h"
#include "base/json.h"
#include "base/sqlite.h"
#include "orchestrator/store/store.h"
#include "service/version.h"
#include "tasks/artifacts/files.h"

namespace millrace::service {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "backup.json";
constexpr std::uint64_t kIdGap = 1'000'000'000;  // executions that may have begun after the backup
constexpr std::size_t kCopyBytes = 1 << 20;

tl::unexpected<Error> system_error(std::string_view what, const fs::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return fail(full ? ErrorCode::OutOfSpace : ErrorCode::Internal,
              std::string(what) + " " + path.string() + ": " + std::strerror(error),
              full ? "free some space, or back up to another disk" : "check the path and its permissions");
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Status sync_directory(const fs::path& path) {
  const File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.fd()) != 0) return system_error("can't flush", path, errno);
  return {};
}

// Size and digest of a file that does not change; with `into`, it is copied and flushed on the way.
Result<BackupFile> read_file(const fs::path& from, const std::string& name, const fs::path* into) {
  const File in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in && errno == ENOENT) return fail(ErrorCode::NotFound, from.string() + " is gone");
  if (!in) return system_error("can't read", from, errno);
  const File out(into ? ::open(into->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1);
  if (into && !out) return system_error("can't write", *into, errno);
  BackupFile file{name, 0, {}};
  Sha256 sum;
  std::string buffer(kCopyBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(in.fd(), buffer.data(), buffer.size());
    if (count < 0) return system_error("can't read", from, errno);
    if (count == 0) break;
    const std::string_view part(buffer.data(), static_cast<std::size_t>(count));
    sum.update(part);
    file.bytes += part.size();
    for (std::size_t done = 0; into && done < part.size();) {
      const ssize_t written = ::write(out.fd(), part.data() + done, part.size() - done);
      if (written < 0) return system_error("can't write", *into, errno);
      done += static_cast<std::size_t>(written);
    }
  }
  // What programs could be run in the original can be run in the copy.
  struct stat about {};
  if (into && (::fstat(in.fd(), &about) != 0 || ::fchmod(out.fd(), about.st_mode & 0777) != 0))
    return system_error("can't write", *into, errno);
  // An object with another time would be taken for another object.
  const timespec times[] = {about.st_atim, about.st_mtim};
  if (into && ::futimens(out.fd(), times) != 0) return system_error("can't write", *into, errno);
  if (into && ::fsync(out.fd()) != 0) return system_error("can't flush", *into, errno);
  file.sha256 = sum.finish_hex();
  return file;
}

Status check_empty(const fs::path& path, const char* what) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    fs::create_directories(path, error);
    if (error) return invalid("can't make " + path.string() + ": " + error.message());
    return {};
  }
  if (!fs::is_directory(path, error) || !fs::is_empty(path, error))
    return invalid(std::string(what) + " " + path.string() + " is there and not empty",
                   "name a new directory");
  return {};
}

// Of the home's files those that are part of a backup besides the databases.
bool is_kept(const std::string& name) {
  static constexpr std::string_view kLeft[] = {
      "lock",         "logs/", "backup.json", "serve.json", "objects/.uploads/", "scratch/Endpoint/",
      "environments/"};
  for (const std::string_view left : kLeft) {
    if (name == left || (left.ends_with('/') && name.starts_with(left))) return false;
  }
  for (const char* database : kHomeDatabases) {
    if (name.starts_with(database)) return false;  // with -wal and -shm
  }
  const std::string_view last = std::string_view(name).substr(name.rfind('/') + 1);
  return !last.starts_with(tasks::kUnfinishedPrefix);
}

struct Listing {
  std::vector<std::string> files, directories;
};

Result<Listing> list_files(const fs::path& root) {
  Listing listing;
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; it != end; it.increment(error)) {
    if (error) break;
    const std::string name = it->path().lexically_relative(root).generic_string();
    if (it->is_symlink(error)) continue;  // what they lead to is not the home's
    if (it->is_directory(error)) {
      if (!is_kept(name + "/")) {
        it.disable_recursion_pending();
      } else {
        listing.directories.push_back(name);
      }
    } else if (it->is_regular_file(error) && is_kept(name)) {
      listing.files.push_back(name);
    }
    error.clear();  // a file that went meanwhile is no error
  }
  if (error) return system_error("can't list", root, error.value());
  std::sort(listing.files.begin(), listing.files.end());
  std::sort(listing.directories.begin(), listing.directories.end());
  return listing;
}

Status write_manifest(const Manifest& manifest, const fs::path& target) {
  Json files = Json::array();
  for (const BackupFile& file : manifest.files)
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  const Json document = {{"format", manifest.format},
                         {"millrace", manifest.version},
                         {"created", format_rfc3339(manifest.created)},
                         {"files", std::move(files)}};
  const fs::path temporary = target / "backup.json.part";
  {
    std::ofstream out(temporary, std::ios::binary);
    out << document.dump(1) << "\n";
    out.close();
    if (!out) return system_error("can't write", temporary, errno);
  }
  const File written(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
  if (!written || ::fsync(written.fd()) != 0) return system_error("can't flush", temporary, errno);
  std::error_code error;
  fs::rename(temporary, target / kManifest, error);
  if (error) return system_error("can't write", target / kManifest, error.value());
  return sync_directory(target);
}

Result<Manifest> read_manifest(const fs::path& source) {
  const auto damaged = [&](const std::string& why) {
    return fail(ErrorCode::DataLoss, (source / kManifest).string() + ": " + why, "use another backup");
  };
  std::ifstream in(source / kManifest, std::ios::binary);
  if (!in)
    return fail(ErrorCode::NotFound, source.string() + " is no whole backup: it has no " + kManifest,
                "a backup that was interrupted has none: use another one");
  const Json document = Json::parse(in, nullptr, false);
  if (document.is_discarded() || !document.is_object()) return damaged("it is no JSON object");
  if (document.value("format", 0) != 1)
    return fail(ErrorCode::Unavailable, source.string() + ": made by a newer Millrace", "use that one");
  Manifest manifest;
  manifest.version = document.value("millrace", "");
  manifest.created = parse_rfc3339(document.value("created", "")).value_or(Instant());
  for (const Json& file : document.value("files", Json::array())) {
    const std::string path = file.value("path", "");
    const fs::path normal = fs::path(path).lexically_normal();
    if (path.empty() || normal.is_absolute() || normal.generic_string() != path || *normal.begin() == "..")
      return damaged("'" + path + "' is no name of a file in a home");
    manifest.files.push_back({path, file.value("bytes", std::uint64_t{0}), file.value("sha256", "")});
  }
  return manifest;
}

}  // namespace

std::uint64_t Manifest::bytes() const {
  std::uint64_t all = 0;
  for (const BackupFile& file : files) all += file.bytes;
  return all;
}

Result<Manifest> back_up(const fs::path& home, const fs::path& target, Instant now,
                         const BackupOptions& options) {
  std::error_code error;
  if (!fs::exists(home / "millrace.db", error))
    return fail(ErrorCode::NotFound, "there is no home directory at " + home.string(),
                "name it with --home or MILLRACE_HOME");
  const std::string inside = fs::weakly_canonical(target, error).generic_string() + "/";
  if (inside.starts_with(fs::weakly_canonical(home, error).generic_string() + "/"))
    return invalid("the backup " + target.string() + " would be inside the home",
                   "name a directory elsewhere");
  MR_DO(check_empty(target, "the backup"));
  Manifest manifest;
  manifest.version = version();
  manifest.created = now;
  for (const char* name : kHomeDatabases) {
    if (!fs::exists(home / name, error)) continue;
    MR_TRY(database, Database::open_readonly((home / name).string()));
    MR_DO(database.copy_to((target / name).string()));
    MR_TRY(file, read_file(target / name, name, nullptr));
    manifest.files.push_back(std::move(file));
  }
  MR_TRY(listing, list_files(home));
  for (const std::string& name : listing.directories) fs::create_directories(target / name, error);
  for (const std::string& name : listing.files) {
    const fs::path to = target / name;
    const bool linked =
        options.hard_links && name.starts_with("objects/") && ::link((home / name).c_str(), to.c_str()) == 0;
    auto file = linked ? read_file(to, name, nullptr) : read_file(home / name, name, &to);
    if (!file && file.error().code == ErrorCode::NotFound) continue;  // it was removed meanwhile
    if (!file) return fail(file.error());
    manifest.files.push_back(*std::move(file));
  }
  for (const std::string& name : listing.directories) MR_DO(sync_directory(target / name));
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const BackupFile& a, const BackupFile& b) { return a.path < b.path; });
  MR_DO(write_manifest(manifest, target));
  return manifest;
}

Result<Manifest> verify_backup(const fs::path& source) {
  MR_TRY(manifest, read_manifest(source));
  for (const BackupFile& file : manifest.files) {
    const auto read = read_file(source / file.path, file.path, nullptr);
    if (!read && read.error().code == ErrorCode::NotFound)
      return fail(ErrorCode::DataLoss, (source / file.path).string() + " is missing", "use another backup");
    if (!read) return fail(read.error());
    if (read->bytes != file.bytes || read->sha256 != file.sha256)
      return fail(ErrorCode::DataLoss, (source / file.path).string() + " is not what was backed up",
                  "use another backup");
  }
  return manifest;
}

Result<Manifest> restore(const fs::path& source, const fs::path& home) {
  MR_TRY(manifest, verify_backup(source));
  MR_DO(check_empty(home, "the home"));
  std::error_code error;
  for (const BackupFile& file : manifest.files) {
    const fs::path to = home / file.path;
    fs::create_directories(to.parent_path(), error);
    MR_TRY(copied, read_file(source / file.path, file.path, &to));
    if (copied.sha256 != file.sha256)
      return fail(ErrorCode::DataLoss, (source / file.path).string() + " changed while it was read");
    MR_DO(sync_directory(to.parent_path()));
  }
  if (!fs::exists(home / "millrace.db", error)) return manifest;
  MR_TRY(store, orchestrator::open_sqlite_store((home / "millrace.db").string()));
  MR_TRY(last, store->last_execution());
  MR_DO(store->reserve(ExecutionId{last.value + kIdGap}));
  return manifest;
}

}  // namespace millrace::service
