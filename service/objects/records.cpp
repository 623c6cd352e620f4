#include "service/objects/records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::objects {
namespace {

std::optional<FileState> state_in(const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return std::nullopt;
  return FileState{info.st_size, std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

}  // namespace

std::optional<FileState> state_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? state_in(info) : std::nullopt;
}

std::optional<FileState> state_of(int descriptor) {
  struct stat info {};
  return ::fstat(descriptor, &info) == 0 ? state_in(info) : std::nullopt;
}

Status sync_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const int number = errno;
  if (file >= 0) ::close(file);
  if (synced) return {};
  const bool full = number == ENOSPC || number == EDQUOT;
  return fail(full ? ErrorCode::OutOfSpace : ErrorCode::Internal,
              "can't sync " + path.string() + ": " + std::strerror(number));
}

std::string_view header_of(const ObjectHeaders& headers, std::string_view name) {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

std::string text_of(const ObjectHeaders& headers) {
  std::string text;
  for (const auto& [name, value] : headers) text.append(name).append(": ").append(value).append("\n");
  return text;
}

ObjectHeaders headers_of(std::string_view text) {
  ObjectHeaders headers;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return headers;
}

}  // namespace millrace::objects
