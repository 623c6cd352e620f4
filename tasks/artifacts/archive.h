#pragma once
// Archives of files: `model.tar.gz`, the form in which SageMaker's jobs leave a model and take one. Written
// and read by libarchive; what is read may come from a stranger. Any thread; a writer: one thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::tasks {

// What an archive may hold before it is refused: a small file can unpack to any size.
struct ArchiveLimits {
  std::uint64_t bytes_max = std::uint64_t{8} << 30;  // all files together, unpacked
  std::size_t files_max = 100'000;
};

// A tar file, gzipped, that appears whole or not at all. The same files in the same order give the same
// bytes: no times, no owners.
class ArchiveWriter {
 public:
  // Parent directories are made.
  static Result<ArchiveWriter> create(const std::filesystem::path& path);
  ArchiveWriter(ArchiveWriter&&) noexcept;
  ArchiveWriter& operator=(ArchiveWriter&&) noexcept;
  ~ArchiveWriter();  // unfinished: nothing stays

  Status add(std::string_view name, std::string_view bytes, bool executable = false);
  // In pieces. NotFound, or DataLoss when the file can't be read.
  Status add_file(std::string_view name, const std::filesystem::path& file);
  // Written, synced, in place. OutOfSpace leaves what was there before.
  Status finish();

 private:
  struct Open;
  explicit ArchiveWriter(std::unique_ptr<Open> open);
  std::unique_ptr<Open> open_;
};

// The regular files of a tar archive, plain or packed by gzip or zstd, by name ("./a" is "a"). NotFound;
// DataLoss: not an archive, cut short, names that lead outside, links and devices, more than the limits.
Result<std::map<std::string, std::string>> read_archive(const std::filesystem::path& path,
                                                        const ArchiveLimits& limits = {});
// The same into a directory, which is made; existing files of those names are replaced. Executable files stay
// so. After an error the directory holds a part.
Status extract_archive(const std::filesystem::path& path, const std::filesystem::path& directory,
                       const ArchiveLimits& limits = {});

}  // namespace millrace::tasks
