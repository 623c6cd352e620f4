#include "tasks/script/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "base/time.h"

namespace millrace::tasks {
namespace {

constexpr Millis kLockAskedEvery{50};

// Whether the descriptor's file is still the one of that name: who had the lock may have removed it.
bool is_file_of(int descriptor, const std::filesystem::path& path) {
  struct stat ours, named;
  return ::fstat(descriptor, &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

}  // namespace

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<FileLock> FileLock::attempt(const std::filesystem::path& path, Kind kind) {
  for (;;) {
    FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (lock.descriptor_ < 0)
      return fail(errno == ENOSPC ? ErrorCode::OutOfSpace : ErrorCode::Internal,
                  "can't open " + path.string() + ": " + std::strerror(errno));
    if (::flock(lock.descriptor_, (kind == Kind::Shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      return fail(ErrorCode::Unavailable, path.string() + " is in use");
    }
    if (is_file_of(lock.descriptor_, path)) return lock;
  }
}

Result<FileLock> FileLock::wait(const std::filesystem::path& path, Kind kind,
                                const std::function<bool()>& cancelled) {
  for (;;) {
    auto lock = attempt(path, kind);
    if (lock) {
      ::futimens(lock->descriptor_, nullptr);
      return lock;
    }
    if (lock.error().code != ErrorCode::Unavailable) return fail(lock.error());
    if (cancelled && cancelled())
      return fail(ErrorCode::Cancelled, "stopped while waiting for " + path.string());
    std::this_thread::sleep_for(kLockAskedEvery);
  }
}

void FileLock::remove(const std::filesystem::path& path) {
  ::unlink(path.c_str());
  ::close(std::exchange(descriptor_, -1));
}

}  // namespace millrace::tasks
