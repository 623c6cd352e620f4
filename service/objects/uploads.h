#pragma once
// Files on their way to become objects, in HOME/objects/.uploads, which no bucket can be called: what one
// request writes, and the parts of multipart uploads. What a cut request left is removed, at the latest by
// the next start; a multipart upload stays until it is completed, aborted or old. Any thread; a TempFile is
// one thread's at a time.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/objects/records.h"

namespace millrace::objects {

// A file that is removed with this object unless it was handed on.
class TempFile {
 public:
  TempFile(int file, std::filesystem::path path) : file_(file), path_(std::move(path)) {}
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  Status write(std::string_view bytes);  // OutOfSpace
  // A range of another file, copied by the kernel, which shares the blocks where the file system can.
  Status append(const std::filesystem::path& from, std::uint64_t offset, std::uint64_t bytes);
  // Closed; the state it will have as an object. A large file is on the disk when this returns, a small one
  // on its way there: who makes an object of it syncs many together.
  Result<FileState> finish();
  // Whoever calls removes or renames it from now on.
  std::filesystem::path release();
  const std::filesystem::path& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  int file_;
  std::filesystem::path path_;
  std::uint64_t bytes_ = 0;
  bool released_ = false;
};

struct Upload {
  std::string id;
  ObjectName name;
  Instant begun;
  ObjectHeaders headers;
};
struct UploadPart {
  int number = 0;
  std::string etag;
  std::uint64_t bytes = 0;
  Instant modified;
  std::filesystem::path path;
};

inline constexpr int kPartsMax = 10'000;

class Uploads {
 public:
  explicit Uploads(std::filesystem::path root) : folder_(std::move(root) / ".uploads") {}
  // Makes the folder, removes what cut requests left and uploads that are older.
  Status clean(Instant oldest);
  Result<std::unique_ptr<TempFile>> temporary();

  Status begin(const Upload& upload);  // durable when it returns
  // NotFound, also when it is another object's.
  Result<Upload> find(const std::string& id, const ObjectName& name) const;
  // Replaces a part of that number; durable when it returns.
  Status add_part(const std::string& id, int number, const std::string& etag, std::unique_ptr<TempFile> file);
  Result<std::vector<UploadPart>> parts(const std::string& id) const;  // by number
  Status remove(const std::string& id);
  std::vector<Upload> list(const std::string& bucket) const;  // by key and id; empty: of all buckets

 private:
  Result<Upload> read(const std::string& id) const;

  const std::filesystem::path folder_;
  std::atomic<std::uint64_t> serial_{0};
};

}  // namespace millrace::objects
