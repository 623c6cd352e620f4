#pragma once
// Buckets that are kept in another S3-compatible store (AWS, MinIO, Ceph, another Millrace): objects are read
// through a cache of files and written through. Which buckets: the home's remotes.json. Any thread; calls
// block. Source: Amazon S3 API reference, ListObjectsV2, GetObject, PutObject, DeleteObject.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tasks/artifacts/remote_http.h"

namespace millrace::tasks {

struct S3Uri;
struct ObjectInfo;

struct RemoteSettings {
  std::map<std::string, RemoteBucket> buckets;              // by their name here
  std::uint64_t cache_bytes_max = std::uint64_t{20} << 30;  // of copies; the oldest go first
  std::uint64_t object_bytes_max = std::uint64_t{5} << 30;  // of an object that is written: one PutObject
  int attempts_max = 4;       // of a request that is not answered, or by 5xx or 429
  int idle_seconds_max = 60;  // without a byte
  int known_seconds = 5;      // how long an object's ETag is taken as still true after it was seen
};

class RemoteStore {
 public:
  RemoteStore(RemoteSettings settings, std::filesystem::path cache);

  bool has(std::string_view bucket) const { return settings_.buckets.contains(std::string(bucket)); }
  // As ObjectStore's; keys that are no file names are passed over.
  Result<std::vector<ObjectInfo>> list(const S3Uri& uri, bool hidden) const;
  // A file with the object's bytes; immutable, it stays until the cache is full. NotFound.
  Result<std::filesystem::path> fetch(const S3Uri& uri) const;
  Status put(const S3Uri& uri, const std::filesystem::path& file) const;
  Status put(const S3Uri& uri, std::string_view bytes) const;
  Status remove(const S3Uri& uri) const;

 private:
  Result<RemoteAnswer> ask(const S3Uri& uri, const RemoteCall& call) const;
  void remember(const S3Uri& uri, const std::string& etag) const;
  std::filesystem::path copy_of(const S3Uri& uri, const std::string& etag) const;
  void make_room() const;

  const RemoteSettings settings_;
  const std::filesystem::path cache_;
  const SystemClock clock_;
  struct Known {
    std::string etag;
    Millis at{};
  };
  mutable std::mutex mutex_;
  mutable std::map<std::string, Known> known_;  // by URI; guarded by mutex_
};

}  // namespace millrace::tasks
