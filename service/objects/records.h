#pragma once
// What is known of an object beside its bytes: which state of its file it is about, its ETag, the headers
// that were given with it. Values; any thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::objects {

// One state of a file. A copy of a home keeps it, so the inode is no part of it.
struct FileState {
  std::int64_t bytes = 0, modified_ns = 0;
  bool operator==(const FileState&) const = default;
  Instant modified() const { return from_millis(modified_ns / 1'000'000); }
};
// Nothing when there is no regular file of that name. Symbolic links are none.
std::optional<FileState> state_of(const std::filesystem::path& path);
std::optional<FileState> state_of(int descriptor);

// What was written to the file is on the disk; OutOfSpace, Internal.
Status sync_file(const std::filesystem::path& path);

// Names in lower case: content-type, cache-control, …, x-amz-meta-NAME, x-amz-checksum-NAME; and
// kUploadHeader, which nobody is shown.
using ObjectHeaders = std::vector<std::pair<std::string, std::string>>;
inline constexpr std::string_view kUploadHeader = "x-millrace-upload";  // the multipart upload it was made by
std::string_view header_of(const ObjectHeaders& headers, std::string_view name);  // empty: there is none
// "name: value" lines both ways.
std::string text_of(const ObjectHeaders& headers);
ObjectHeaders headers_of(std::string_view text);

struct ObjectRecord {
  FileState file;
  std::string etag;  // without quotes; empty: nobody has computed it yet
  ObjectHeaders headers;
};

// bucket and key of an object, as a map's key.
struct ObjectName {
  std::string bucket, key;
  auto operator<=>(const ObjectName&) const = default;
};

}  // namespace millrace::objects
