#pragma once
// Backup and restore of a home. A backup is a directory: copies of the databases and of the files of the
// home, and backup.json with the size and SHA-256 of each, written last: what has none is not whole.
//
// It is taken while the server runs. Order: millrace.db, tasks.db, logs.db, then objects/, functions/ and the
// other files. What refers to something is copied before what it refers to, so everything that the copied
// histories know is there: jobs that the histories do not know yet are found again by their keys. Every
// execution that was acknowledged before the backup began is in it. Logs, locks and unfinished files are not.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::service {

struct BackupFile {
  std::string path;  // in the home, with '/'
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct Manifest {
  int format = 1;
  std::string version;  // of the Millrace that made it
  Instant created;
  std::vector<BackupFile> files;  // sorted by path
  std::uint64_t bytes() const;
};

struct BackupOptions {
  bool hard_links =
      false;  // of objects, where the file system allows: objects are replaced, never changed in place
};

// InvalidArgument: `target` is there and not empty. NotFound: no home. OutOfSpace: nothing whole was written.
Result<Manifest> back_up(const std::filesystem::path& home, const std::filesystem::path& target, Instant now,
                         const BackupOptions& options = {});
// The manifest of a backup, once every file was read and has its checksum. DataLoss names the first that has
// not.
Result<Manifest> verify_backup(const std::filesystem::path& source);
// A new home from a backup. InvalidArgument: `home` is there and not empty. Ids of executions go on far above
// those of the backup: what ran after it was taken may have left jobs and files under the ids in between.
Result<Manifest> restore(const std::filesystem::path& source, const std::filesystem::path& home);

// The databases of a home, in the order they are copied in. The engine's comes before those of tasks: what
// these know beyond it they know by the key of the attempt that did it, and answer the same when it is done
// again. So does the engine for what the bus has started: the bus's place among the events may be old, never
// new.
inline constexpr const char* kHomeDatabases[] = {
    "bus.db",    "millrace.db", "tasks.db",  "tables.db", "queues.db",  "streams.db", "features.db",
    "labels.db", "events.db",   "topics.db", "logs.db",   "objects.db", "metrics.db", "outcomes.db"};

}  // namespace millrace::service
