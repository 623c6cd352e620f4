#pragma once
// FileLock: a lock that is a file: shared or for oneself, between threads and processes, given back with the
// object or by the kernel when the process ends. Any thread; one object: one thread.

#include <filesystem>
#include <functional>
#include <utility>

#include "base/result.h"

namespace millrace::tasks {

class FileLock {
 public:
  enum class Kind { Shared, Exclusive };
  FileLock() = default;
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileLock();

  // Waits for it, until `cancelled` says so: Cancelled. The file is made; its time is that of the last lock
  // that was waited for.
  static Result<FileLock> wait(const std::filesystem::path& path, Kind kind,
                               const std::function<bool()>& cancelled);
  // Unavailable when somebody has it now; the file's time stays.
  static Result<FileLock> attempt(const std::filesystem::path& path, Kind kind);
  // Removes the file of a lock that is one's own, and gives it back.
  void remove(const std::filesystem::path& path);

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace millrace::tasks
