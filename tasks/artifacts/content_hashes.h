#pragma once
// ContentHashes: SHA-256 of files, each read once: what a file's hash was is remembered together with its
// size, times and inode, also after this process. A file that was written a moment ago is not remembered: the
// file system's clock is coarse, and it might be written again within the same tick. HOME/hashes.db may be
// deleted at any time. Any thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace millrace::tasks {

struct FileHash {
  std::string sha256;  // hexadecimal
  std::uint64_t bytes = 0;
};

class ContentHashes {
 public:
  // `path`: of the database, opened when it is needed first; empty: nothing outlives this object.
  // The clock is borrowed.
  ContentHashes(std::string path, const Clock& clock);
  ~ContentHashes();
  ContentHashes(const ContentHashes&) = delete;
  ContentHashes& operator=(const ContentHashes&) = delete;

  // In the order of the paths. NotFound names the file; Cancelled. A database that can't be used costs
  // reading, nothing else.
  Result<std::vector<FileHash>> of(const std::vector<std::filesystem::path>& paths,
                                   const std::function<bool()>& cancelled = {});
  std::uint64_t bytes_read() const;  // since it was made; for tests and people

 private:
  struct Store;
  const std::string path_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // over what follows
  std::unique_ptr<Store> store_;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace millrace::tasks
