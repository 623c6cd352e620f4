#include "service/objects/key_walk.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "tasks/artifacts/files.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::objects {
namespace {

struct FolderCloser {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

// Whether a prefix of keys is a folder of the bucket, reached without links.
bool is_inside(const std::filesystem::path& bucket, const std::string& folder) {
  if (!tasks::parse_s3_uri("s3://b/" + folder)) return false;  // "..", an empty part
  for (std::size_t end = folder.find('/'); end != std::string::npos; end = folder.find('/', end + 1)) {
    std::error_code code;
    const auto status = std::filesystem::symlink_status(bucket / folder.substr(0, end), code);
    if (!std::filesystem::is_directory(status)) return false;
  }
  return true;
}

}  // namespace

KeyWalk::KeyWalk(std::filesystem::path bucket, std::string prefix, std::string after)
    : bucket_(std::move(bucket)), prefix_(std::move(prefix)), after_(std::move(after)) {}

// Whether a folder's keys can be among those that are wanted.
bool KeyWalk::may_hold(const std::string& folder) const {
  if (!folder.starts_with(prefix_) && !prefix_.starts_with(folder)) return false;
  return folder > after_ || after_.starts_with(folder);
}

Result<std::optional<WalkedObject>> KeyWalk::next() {
  if (!begun_) {
    begun_ = true;
    const std::string folder = prefix_.substr(0, prefix_.rfind('/') + 1);
    if (is_inside(bucket_, folder)) MR_DO(enter(folder));
  }
  while (!open_.empty()) {
    Level& level = open_.back();
    if (level.at == level.names.size()) {
      open_.pop_back();
      continue;
    }
    const std::string key = level.folder + level.names[level.at++];
    if (key.ends_with('/')) {
      if (may_hold(key)) MR_DO(enter(key));
      continue;
    }
    if (key <= after_ || !key.starts_with(prefix_)) continue;
    const auto state = state_of(bucket_ / key);
    if (state) return std::optional(WalkedObject{key, *state});
  }
  return std::optional<WalkedObject>();
}

Status KeyWalk::enter(const std::string& folder) {
  const std::string path = (bucket_ / folder).string();
  Level level;
  level.folder = folder;
  const std::unique_ptr<DIR, FolderCloser> opened(::opendir(path.c_str()));
  if (!opened && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
    return fail(ErrorCode::DataLoss, "can't list " + path + ": " + std::strerror(errno));
  while (opened) {
    const dirent* entry = ::readdir(opened.get());
    if (!entry) break;
    std::string name = entry->d_name;
    if (name == "." || name == ".." || name.starts_with(tasks::kUnfinishedPrefix)) continue;
    bool is_folder = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      std::error_code code;
      is_folder =
          std::filesystem::is_directory(std::filesystem::symlink_status(bucket_ / folder / name, code));
    } else if (!is_folder && entry->d_type != DT_REG) {
      continue;
    }
    if (is_folder) name += '/';
    level.names.push_back(std::move(name));
  }
  std::erase_if(level.names, [&](const std::string& name) {
    return !tasks::parse_s3_uri("s3://b/" + folder + name);  // no key: not UTF-8, control characters
  });
  std::sort(level.names.begin(), level.names.end());
  open_.push_back(std::move(level));
  return {};
}

}  // namespace millrace::objects
