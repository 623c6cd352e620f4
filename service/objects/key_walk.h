#pragma once
// KeyWalk: the objects of a bucket in the order of their keys (bytes of UTF-8), one folder's names at a time
// in memory, from anywhere on. Links, and files that are being written, are passed over, as is what no key
// can name. One thread.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/objects/records.h"

namespace millrace::objects {

struct WalkedObject {
  std::string key;
  FileState file;
};

class KeyWalk {
 public:
  // Keys that begin with `prefix` and come behind `after`. `bucket` is its folder.
  KeyWalk(std::filesystem::path bucket, std::string prefix, std::string after = {});
  // Nothing at the end. DataLoss when a folder can't be read.
  Result<std::optional<WalkedObject>> next();
  // What comes next stands behind every key that begins so.
  void skip(const std::string& prefix) { after_ = prefix + '\xFF'; }  // no key has this byte

 private:
  struct Level {
    std::string folder;              // "a/b/", or ""
    std::vector<std::string> names;  // sorted; folders end in '/', which is how their keys sort
    std::size_t at = 0;
  };
  Status enter(const std::string& folder);
  bool may_hold(const std::string& folder) const;

  const std::filesystem::path bucket_;
  const std::string prefix_;
  std::string after_;
  bool begun_ = false;
  std::vector<Level> open_;
};

}  // namespace millrace::objects
