#include "service/home_objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <vector>

#include "tasks/artifacts/files.h"

namespace millrace::service {
namespace {

namespace fs = std::filesystem;
using orchestrator::ByteReader;
using orchestrator::ByteWriter;
using orchestrator::ObjectCursor;
using orchestrator::StoredObject;

tl::unexpected<Error> error_of(std::string what, const std::string& name) {
  const ErrorCode code = errno == ENOENT                      ? ErrorCode::NotFound
                         : errno == ENOSPC || errno == EDQUOT ? ErrorCode::OutOfSpace
                                                              : ErrorCode::DataLoss;
  return fail(code, std::move(what) + " " + name + ": " + std::strerror(errno));
}

class FileReader final : public ByteReader {
 public:
  FileReader(int file, std::string name) : file_(file), name_(std::move(name)) {}
  ~FileReader() override { ::close(file_); }
  Result<std::size_t> read(char* into, std::size_t most) override {
    for (;;) {
      const ssize_t got = ::read(file_, into, most);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return error_of("can't read", name_);
    }
  }
  Result<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(file_, &status) != 0) return error_of("can't read", name_);
    return static_cast<std::uint64_t>(status.st_size);
  }
  Status seek(std::uint64_t offset) override {
    if (::lseek(file_, static_cast<off_t>(offset), SEEK_SET) < 0) return error_of("can't read", name_);
    return {};
  }

 private:
  const int file_;
  const std::string name_;
};

// A temporary file beside the object, renamed when it is complete.
class FileWriter final : public ByteWriter {
 public:
  FileWriter(int file, fs::path temporary, fs::path path, std::string name)
      : file_(file), temporary_(std::move(temporary)), path_(std::move(path)), name_(std::move(name)) {}
  ~FileWriter() override {
    if (file_ < 0) return;
    ::close(file_);
    ::unlink(temporary_.c_str());
  }
  Status write(std::string_view bytes) override {
    buffer_.append(bytes);
    return buffer_.size() < kBufferBytes ? Status() : flush();
  }
  Status finish() override {
    MR_DO(flush());
    if (::fsync(file_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0)
      return error_of("can't write", name_);
    ::close(file_);
    file_ = -1;
    const int directory = ::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return error_of("can't sync the directory of", name_);
    const bool synced = ::fsync(directory) == 0;
    ::close(directory);
    return synced ? Status() : Status(error_of("can't sync the directory of", name_));
  }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 18;
  Status flush() {
    Status status = tasks::write_all(file_, buffer_, name_);
    buffer_.clear();
    return status;
  }
  int file_;
  const fs::path temporary_, path_;
  const std::string name_;
  std::string buffer_;
};

// The files below a directory in the order of their keys, one directory's names at a time in memory.
class Walk {
 public:
  Walk(fs::path bucket, std::string prefix) : bucket_(std::move(bucket)), prefix_(std::move(prefix)) {}

  Result<std::optional<StoredObject>> next() {
    if (!begun_) {
      begun_ = true;
      MR_DO(enter(prefix_.substr(0, prefix_.rfind('/') + 1)));
    }
    while (!open_.empty()) {
      Level& level = open_.back();
      if (level.at == level.names.size()) {
        open_.pop_back();
        continue;
      }
      const std::string key = level.folder + level.names[level.at++];
      if (key.ends_with('/')) {
        if (key.starts_with(prefix_) || prefix_.starts_with(key)) MR_DO(enter(key));
        continue;
      }
      if (!key.starts_with(prefix_)) continue;
      struct stat status {};
      if (::stat((bucket_ / key).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      const auto millis = std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
      return std::optional(
          StoredObject{key, static_cast<std::uint64_t>(status.st_size), from_millis(millis)});
    }
    return std::optional<StoredObject>();
  }

 private:
  struct Level {
    std::string folder;              // "a/b/", or ""
    std::vector<std::string> names;  // sorted; directories end in '/', which is how their keys sort
    std::size_t at = 0;
  };
  Status enter(const std::string& folder) {
    Level level;
    level.folder = folder;
    std::error_code code;
    fs::directory_iterator entries(bucket_ / folder, code);
    for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
      std::string name = entries->path().filename().string();
      if (name.starts_with(tasks::kUnfinishedPrefix)) continue;
      std::error_code ignored;
      if (entries->is_symlink(ignored)) continue;  // it may lead out of the bucket
      if (entries->is_directory(ignored)) name += '/';
      level.names.push_back(std::move(name));
    }
    if (code && code != std::errc::no_such_file_or_directory && code != std::errc::not_a_directory)
      return fail(ErrorCode::DataLoss, "can't list " + (bucket_ / folder).string() + ": " + code.message());
    std::sort(level.names.begin(), level.names.end());
    open_.push_back(std::move(level));
    return {};
  }

  const fs::path bucket_;
  const std::string prefix_;
  bool begun_ = false;
  std::vector<Level> open_;
};

class HomeObjects final : public orchestrator::ObjectSource {
 public:
  explicit HomeObjects(const fs::path& root) : store_(root) {}

  Result<std::unique_ptr<ByteReader>> open(const std::string& bucket, const std::string& key) override {
    const std::string uri = "s3://" + bucket + "/" + key;
    MR_TRY(path, store_.path_of(uri));
    std::error_code code;
    if (!fs::is_regular_file(path, code)) return fail(ErrorCode::NotFound, "no object at " + uri);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return error_of("can't open", uri);
    return std::unique_ptr<ByteReader>(std::make_unique<FileReader>(file, uri));
  }

  Result<ObjectCursor> list(const std::string& bucket, const std::string& prefix) override {
    MR_TRY(path, store_.path_of("s3://" + bucket + "/"));
    std::error_code code;
    if (!fs::is_directory(path, code))
      return fail(ErrorCode::NotFound, "The specified bucket does not exist: " + bucket);
    auto walk = std::make_shared<Walk>(path, prefix);
    return ObjectCursor([walk] { return walk->next(); });
  }

  Result<std::unique_ptr<ByteWriter>> create(const std::string& bucket, const std::string& key) override {
    static std::atomic<std::uint64_t> serial{0};
    const std::string uri = "s3://" + bucket + "/" + key;
    MR_TRY(path, store_.path_of(uri));
    std::error_code code;
    fs::create_directories(path.parent_path(), code);
    if (code || fs::is_directory(path, code))
      return fail(ErrorCode::Conflict,
                  uri + " can't be an object: a part of its key is one, or it is a prefix");
    const fs::path temporary =
        path.parent_path() / (std::string(tasks::kUnfinishedPrefix) + std::to_string(::getpid()) + "-m" +
                              std::to_string(serial.fetch_add(1)));
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0) return error_of("can't write", uri);
    return std::unique_ptr<ByteWriter>(std::make_unique<FileWriter>(file, temporary, path, uri));
  }

 private:
  const tasks::ObjectStore store_;
};

}  // namespace

std::unique_ptr<orchestrator::ObjectSource> make_home_objects(const fs::path& root) {
  return std::make_unique<HomeObjects>(root);
}

}  // namespace millrace::service
