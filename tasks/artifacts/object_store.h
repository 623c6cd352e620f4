#pragma once
// The home's object store: s3://bucket/key is the file objects/bucket/key below the home directory. Keys that
// would leave the bucket ("..", absolute, empty parts, control characters, symbolic links to elsewhere) are
// refused; writes appear whole or not at all. One difference from S3: a key can't be an object and a prefix
// ("a" and "a/b") at once. Buckets of another store (remote_store.h) are read and written through, by the
// same names.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/artifacts/sent_objects.h"

namespace millrace::tasks {

struct S3Uri {
  std::string bucket, key;  // key may be empty or end in '/': a prefix
  std::string text() const { return "s3://" + bucket + "/" + key; }
};
Result<S3Uri> parse_s3_uri(
    std::string_view text);  // InvalidArgument: "… is not an S3 URI: expected s3://bucket/key"

struct ObjectInfo {
  std::string key;
  std::uint64_t bytes = 0;
};

class RemoteStore;

// Any thread.
class ObjectStore {
 public:
  explicit ObjectStore(std::filesystem::path root, std::shared_ptr<const RemoteStore> remote = nullptr)
      : root_(std::move(root)), remote_(std::move(remote)), sent_(std::make_shared<SentObjects>()) {}

  // The file behind an object (of a prefix: the directory), existing or not. Directories are not made. In
  // another store: a copy of the object, to be read only; NotFound, and InvalidArgument for a prefix.
  Result<std::filesystem::path> path_of(std::string_view uri) const;
  // Objects whose key begins with the URI's key, sorted by key; a URI that names one object gives that one.
  // Names whose last part begins with '_' or '.' are left out unless `hidden`. NotFound when there is none.
  Result<std::vector<ObjectInfo>> list(std::string_view uri, bool hidden = false) const;
  Result<std::string> read(std::string_view uri) const;  // NotFound
  // Written to a temporary file, synced, renamed. OutOfSpace and nothing changed when the disk is full.
  Status write(std::string_view uri, std::string_view bytes) const;
  // Whether the bucket is one of another store: its objects have no file here that could be written.
  bool elsewhere(std::string_view uri) const;
  // Makes the file of an object with `fill`, which is given a path to write (whole or not at all, as
  // ArchiveWriter and replace_file do): the object's own here, a temporary one for another store, then sent.
  Status write_by(std::string_view uri,
                  const std::function<Status(const std::filesystem::path&)>& fill) const;
  // What was written into another store.
  const SentObjects& sent() const { return *sent_; }
  // The object of that name and everything below name + "/" (not its neighbours "name2"); nothing there is no
  // error.
  Status remove_prefix(std::string_view uri) const;

 private:
  std::filesystem::path root_;
  std::shared_ptr<const RemoteStore> remote_;  // null: there is none
  std::shared_ptr<SentObjects> sent_;
};

// Joins an S3 prefix and a name with exactly one '/'.
std::string join_uri(std::string_view prefix, std::string_view name);

}  // namespace millrace::tasks
