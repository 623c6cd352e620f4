#pragma once
// OptMl: the directory that a program of the user's knows as /opt/ml: filled before it starts, read when it
// has ended, removed in the end. SageMaker's container contract ("How Amazon SageMaker provides training
// information"). Where bubblewrap works the program sees it at /opt/ml itself; else paths in its arguments
// and the SM_* variables lead there.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

class OptMl {
 public:
  // An empty directory (what was there is removed) with /opt/ml's first level.
  static Result<OptMl> make(const std::filesystem::path& root);
  OptMl(OptMl&& other) noexcept
      : root_(std::move(other.root_)),
        mounted_(other.mounted_),
        own_processes_(other.own_processes_),
        shown_(std::move(other.shown_)) {
    other.root_.clear();
  }
  ~OptMl();

  // The real path of one below /opt/ml ("/opt/ml/model"); InvalidArgument for a path that is elsewhere.
  Result<std::filesystem::path> real(std::string_view opt_ml_path) const;
  // What the program is told for that path: the same when the directory is mounted, else the real one.
  std::string seen(std::string_view text) const;
  bool mounted() const { return mounted_; }
  // What the program sees read-only besides: a file or directory of this machine, where. False, and nothing
  // is done, when nothing can be mounted.
  struct Shown {
    std::filesystem::path from, to;
  };
  bool show(const std::filesystem::path& from, const std::filesystem::path& to);
  // The program is to see the machine's processes: those of others who work with it have their numbers there.
  void share_processes() { own_processes_ = false; }
  // The program in front of the arguments that mounts the directory, and cuts it off from the network when it
  // is to be; the arguments with real paths when nothing can be mounted. Internal when it can't be cut off.
  Result<std::vector<std::string>> command(const std::vector<std::string>& arguments, bool cut_off) const;

  Status write_config(std::string_view name, const Json& document) const;  // input/config/<name>
  // Every `parts`-th object from `part` on, in the order of the keys.
  struct Share {
    std::size_t part = 0, parts = 1;
  };
  // The objects below the URI as files in `directory`; copies, or links when `linked` (the program must only
  // read then).
  Status bring(const ObjectStore& objects, std::string_view uri, const std::filesystem::path& directory,
               bool linked, Share share = {0, 1}) const;
  // The files below a directory (no links): names relative to it, with their SHA-256.
  Result<std::map<std::string, std::string>> files(const std::filesystem::path& directory) const;
  // The files of a directory as objects below the URI.
  Status take(const ObjectStore& objects, const std::filesystem::path& directory, std::string_view uri) const;
  // /opt/ml/output/failure and the like; empty when there is none. At most `bytes_max`.
  std::string note(std::string_view opt_ml_path, std::size_t bytes_max = 1024) const;

 private:
  explicit OptMl(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_;
  bool mounted_ = false, own_processes_ = false;
  std::vector<Shown> shown_;
};

}  // namespace millrace::tasks
