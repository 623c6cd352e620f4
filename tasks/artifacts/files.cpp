#include "tasks/artifacts/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

struct Descriptor {
  int value = -1;
  explicit Descriptor(int v) : value(v) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

tl::unexpected<Error> error_of(int number, std::string_view what, std::string_view name) {
  const std::string message = std::string(what) + " " + std::string(name) + ": " + std::strerror(number);
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return fail(ErrorCode::OutOfSpace, message, "free space on the disk of the home directory");
    case ENOENT:
      return fail(ErrorCode::NotFound, message);
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
      return invalid(message);
    default:
      return fail(ErrorCode::Internal, message);
  }
}

}  // namespace

// Makes missing directories one by one, so that each new entry can be synced in its parent.
Status make_directories(const fs::path& directory) {
  std::error_code code;
  if (directory.empty() || fs::is_directory(directory, code)) return {};
  MR_DO(make_directories(directory.parent_path()));
  if (::mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST) {
    return error_of(errno, "can't make directory", directory.string());
  }
  if (!fs::is_directory(directory, code))
    return error_of(ENOTDIR, "can't make directory", directory.string());
  return sync_directory(directory.parent_path().empty() ? fs::path(".") : directory.parent_path());
}

Status sync_directory(const fs::path& directory) {
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.value < 0 || ::fsync(opened.value) != 0)
    return error_of(errno, "can't sync", directory.string());
  return {};
}

Result<std::string> read_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value < 0) return error_of(errno, "can't open", path.string());
  struct stat status {};
  if (::fstat(file.value, &status) != 0) return error_of(errno, "can't read", path.string());
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::NotFound, path.string() + " is not a file");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  for (;;) {
    if (done == bytes.size())
      bytes.resize(bytes.size() + 4096);  // it may have grown: read until the end says so
    const ssize_t got = ::read(file.value, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(ErrorCode::DataLoss, "can't read " + path.string() + ": " + std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Status write_all(int descriptor, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return error_of(errno, "can't write", name);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

namespace {

// A file whose bytes `fill` writes to a descriptor, whole or not at all.
Status replace_by(const fs::path& path, unsigned mode, const std::function<Status(int)>& fill) {
  static std::atomic<std::uint64_t> serial{0};
  const fs::path directory = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  MR_DO(make_directories(directory));
  const fs::path temporary = directory / (std::string(kUnfinishedPrefix) + std::to_string(::getpid()) + "-" +
                                          std::to_string(serial.fetch_add(1)));
  const Status written = [&]() -> Status {
    // O_TRUNC: a process of the same number may have left one behind when it was killed.
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
    if (file.value < 0) return error_of(errno, "can't write", path.string());
    if (mode != 0666 && ::fchmod(file.value, mode) != 0) return error_of(errno, "can't write", path.string());
    MR_DO(fill(file.value));
    if (::fsync(file.value) != 0) return error_of(errno, "can't sync", path.string());
    if (::rename(temporary.c_str(), path.c_str()) != 0) return error_of(errno, "can't write", path.string());
    return {};
  }();
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_directory(directory);
}

}  // namespace

Status replace_file(const fs::path& path, std::string_view bytes, unsigned mode) {
  return replace_by(path, mode, [&](int file) { return write_all(file, bytes, path.string()); });
}

Status copy_file_whole(const fs::path& from, const fs::path& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (source.value < 0) return error_of(errno, "can't open", from.string());
  return replace_by(to, 0666, [&](int target) -> Status {
    std::string buffer(std::size_t{1} << 20, '\0');
    for (;;) {
      const ssize_t got = ::read(source.value, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return error_of(errno, "can't read", from.string());
      if (got == 0) return {};
      MR_DO(
          write_all(target, std::string_view(buffer).substr(0, static_cast<std::size_t>(got)), to.string()));
    }
  });
}

}  // namespace millrace::tasks
