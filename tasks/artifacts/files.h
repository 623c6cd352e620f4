#pragma once
// Whole files, safely: read all, or replace all. Any thread.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::tasks {

// Names of files that are being written begin so; whoever lists a directory passes over them.
inline constexpr std::string_view kUnfinishedPrefix = ".unfinished-";

// NotFound; DataLoss when it can't be read.
Result<std::string> read_file(const std::filesystem::path& path);
// A temporary file beside it, written, synced, renamed, the directory synced: after the call the new content
// is there even if the power fails; before, the old. OutOfSpace leaves nothing behind. Parent directories are
// made. `mode`: its permissions, less the umask.
Status replace_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0666);
// Makes missing directories so that they are there after a power cut, too.
Status make_directories(const std::filesystem::path& directory);
// The file's bytes as another file, in the same way: whole or not at all. NotFound, OutOfSpace.
Status copy_file_whole(const std::filesystem::path& from, const std::filesystem::path& to);
// What was renamed, made or removed in it is so after a power cut, too.
Status sync_directory(const std::filesystem::path& directory);
// All bytes to a descriptor. OutOfSpace when the disk or the quota is full; `name` is for the message.
Status write_all(int descriptor, std::string_view bytes, std::string_view name);

}  // namespace millrace::tasks
