#include "tasks/artifacts/object_store.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "base/encoding.h"
#include "base/utf8.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/remote_store.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScheme = "s3://";
constexpr std::size_t kKeyBytesMax = 1024;  // S3's own limit
constexpr std::size_t kPartBytesMax = 255;  // the file system's

bool is_bucket_name(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || name.size() > 63 || !alphanumeric(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

// Empty when the key is good, else what is wrong with it.
std::string_view fault_of(std::string_view key) {
  if (key.size() > kKeyBytesMax) return "a key has at most 1024 bytes";
  if (!valid_utf8(key)) return "a key is UTF-8";
  for (const char c : key) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "a key has no control characters";
  }
  if (key.empty()) return "";
  if (key.back() == '/') key.remove_suffix(1);
  for (std::size_t first = 0; first <= key.size();) {
    const std::string_view part = key.substr(first, key.find('/', first) - first);
    if (part.empty()) return "a key has no empty parts (\"//\" or a \"/\" at its start)";
    if (part == "." || part == "..") return "a key has no \".\" or \"..\" parts";
    if (part.size() > kPartBytesMax) return "a part of a key has at most 255 bytes";
    first += part.size() + 1;
  }
  return "";
}

bool is_hidden(std::string_view key) {
  const std::string_view last = key.substr(key.rfind('/') + 1);
  return last.starts_with('_') || last.starts_with('.');
}
bool is_unfinished(std::string_view key) {
  return key.substr(key.rfind('/') + 1).starts_with(kUnfinishedPrefix);
}

bool is_below(const fs::path& path, const fs::path& directory) {
  const auto [mine, ours] = std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return mine == directory.end();
}

tl::unexpected<Error> outside(std::string_view uri) {
  return invalid(std::string(uri) + " leads out of its bucket through a symbolic link");
}

// Where the path really is may not be outside the bucket. Parts that do not exist yet are fine.
Status check_inside(const fs::path& path, const fs::path& root, std::string_view bucket,
                    std::string_view uri) {
  std::error_code code;
  const fs::path real_root = fs::weakly_canonical(root, code);
  if (code) return fail(ErrorCode::Internal, "can't read " + root.string() + ": " + code.message());
  const fs::path real = fs::weakly_canonical(path, code);
  if (code) return invalid(std::string(uri) + ": " + code.message());
  if (!is_below(real, real_root / bucket)) return outside(uri);
  return {};
}

Result<SentObject> hash_of_file(const fs::path& path) {
  constexpr std::size_t kPiece = 1 << 20;
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorCode::DataLoss, "can't read " + path.string());
  Sha256 hash;
  SentObject out;
  std::string piece(kPiece, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    const auto count = static_cast<std::size_t>(in.gcount());
    hash.update(std::string_view(piece).substr(0, count));
    out.bytes += count;
  }
  out.sha256 = hash.finish_hex();
  return out;
}

}  // namespace

Result<S3Uri> parse_s3_uri(std::string_view text) {
  const std::string quoted = "\"" + std::string(text.substr(0, 300)) + "\"";
  if (!text.starts_with(kScheme)) return invalid(quoted + " is not an S3 URI: expected s3://bucket/key");
  text.remove_prefix(kScheme.size());
  S3Uri uri;
  uri.bucket = text.substr(0, text.find('/'));
  if (uri.bucket.size() < text.size()) uri.key = text.substr(uri.bucket.size() + 1);
  if (!is_bucket_name(uri.bucket)) {
    return invalid(
        quoted + " is not an S3 URI: expected s3://bucket/key, the bucket of letters, digits, '.', '-', '_'");
  }
  const std::string_view fault = fault_of(uri.key);
  if (!fault.empty()) return invalid(quoted + " is not an S3 URI of ours: " + std::string(fault));
  return uri;
}

Result<fs::path> ObjectStore::path_of(std::string_view text) const {
  MR_TRY(uri, parse_s3_uri(text));
  if (elsewhere(text)) return remote_->fetch(uri);
  fs::path path = root_ / uri.bucket;
  if (!uri.key.empty()) path /= uri.key.ends_with('/') ? uri.key.substr(0, uri.key.size() - 1) : uri.key;
  MR_DO(check_inside(path, root_, uri.bucket, text));
  return path;
}

Result<std::vector<ObjectInfo>> ObjectStore::list(std::string_view text, bool hidden) const {
  MR_TRY(uri, parse_s3_uri(text));
  if (elsewhere(text)) return remote_->list(uri, hidden);
  MR_TRY(path, path_of(text));
  std::error_code code;
  std::vector<ObjectInfo> found;
  if (!uri.key.empty() && !uri.key.ends_with('/') && fs::is_regular_file(path, code)) {
    found.push_back({uri.key, fs::file_size(path, code)});
    return found;
  }
  const fs::path bucket = root_ / uri.bucket;
  // A prefix may end inside a name: walk the directory above and compare keys.
  const fs::path directory = uri.key.empty() || uri.key.ends_with('/') ? path : path.parent_path();
  auto walk =
      fs::recursive_directory_iterator(directory, fs::directory_options::skip_permission_denied, code);
  for (; !code && walk != fs::recursive_directory_iterator(); walk.increment(code)) {
    const std::string key = walk->path().lexically_relative(bucket).generic_string();
    std::error_code ignored;
    if (walk->is_directory(ignored)) {
      // Not below what we look for: no need to go in.
      if (!(key + "/").starts_with(uri.key) && !uri.key.starts_with(key + "/"))
        walk.disable_recursion_pending();
      continue;
    }
    if (!key.starts_with(uri.key) || is_unfinished(key) || (!hidden && is_hidden(key))) continue;
    if (!walk->is_regular_file(ignored)) continue;
    if (walk->is_symlink(ignored) && !check_inside(walk->path(), root_, uri.bucket, text)) continue;
    const std::uint64_t bytes = walk->file_size(ignored);
    if (!ignored) found.push_back({key, bytes});
  }
  if (code && code != std::errc::no_such_file_or_directory && code != std::errc::not_a_directory) {
    return fail(ErrorCode::DataLoss, "can't list " + uri.text() + ": " + code.message());
  }
  if (found.empty()) return fail(ErrorCode::NotFound, "no object at " + uri.text());
  std::sort(found.begin(), found.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
  return found;
}

Result<std::string> ObjectStore::read(std::string_view text) const {
  MR_TRY(path, path_of(text));
  auto bytes = read_file(path);
  if (bytes ||
      (bytes.error().code != ErrorCode::NotFound && bytes.error().code != ErrorCode::InvalidArgument)) {
    return bytes;
  }
  std::error_code code;
  const bool prefix = fs::is_directory(path, code);
  return fail(ErrorCode::NotFound, "no object at " + std::string(text),
              prefix ? "it is a prefix: name one of the objects below it" : "");
}

Status ObjectStore::write(std::string_view text, std::string_view bytes) const {
  MR_TRY(uri, parse_s3_uri(text));
  if (uri.key.empty() || uri.key.ends_with('/'))
    return invalid(uri.text() + " is a prefix; an object needs a name");
  if (elsewhere(text)) {
    MR_DO(remote_->put(uri, bytes));
    sent_->add({uri.text(), digest_hex(Digest::Sha256, bytes), bytes.size()});
    return {};
  }
  MR_TRY(path, path_of(text));
  std::error_code code;
  if (fs::is_directory(path, code)) {
    return fail(ErrorCode::Conflict,
                uri.text() + " is a prefix with objects below it; it can't be an object as well");
  }
  for (fs::path above = path.parent_path(); is_below(above, root_ / uri.bucket);
       above = above.parent_path()) {
    if (fs::exists(above, code) && !fs::is_directory(above, code)) {
      return fail(ErrorCode::Conflict, "s3://" + above.lexically_relative(root_).generic_string() +
                                           " is an object; it can't be the prefix of " + uri.text() +
                                           " as well");
    }
  }
  return replace_file(path, bytes);
}

bool ObjectStore::elsewhere(std::string_view text) const {
  if (remote_ == nullptr) return false;
  const auto uri = parse_s3_uri(text);
  return uri && remote_->has(uri->bucket);
}

Status ObjectStore::write_by(std::string_view text,
                             const std::function<Status(const fs::path&)>& fill) const {
  if (!elsewhere(text)) {
    MR_TRY(path, path_of(text));
    return fill(path);
  }
  MR_TRY(uri, parse_s3_uri(text));
  static std::atomic<std::uint64_t> serial{0};
  const fs::path scratch =
      root_.parent_path() / "remote" /
      (std::string(kUnfinishedPrefix) + std::to_string(::getpid()) + "-" + std::to_string(serial++));
  const auto done = [&]() -> Status {
    MR_DO(fill(scratch / "object"));
    MR_TRY(sent, hash_of_file(scratch / "object"));
    MR_DO(remote_->put(uri, scratch / "object"));
    sent.uri = uri.text();
    sent_->add(std::move(sent));
    return {};
  }();
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  return done;
}

Status ObjectStore::remove_prefix(std::string_view text) const {
  MR_TRY(uri, parse_s3_uri(text));
  if (elsewhere(text)) {
    const auto found = remote_->list(uri, true);
    if (!found && found.error().code == ErrorCode::NotFound) return {};
    if (!found) return fail(found.error());
    for (const ObjectInfo& info : *found) {
      const bool below = uri.key.empty() || uri.key.ends_with('/') || info.key == uri.key ||
                         info.key.starts_with(uri.key + "/");
      if (below) MR_DO(remote_->remove({uri.bucket, info.key}));
    }
    return {};
  }
  MR_TRY(path, path_of(text));
  std::error_code code;
  if (uri.key.empty()) {  // the bucket itself stays
    for (const fs::directory_entry& entry : fs::directory_iterator(path, code)) {
      std::error_code failed;
      fs::remove_all(entry.path(), failed);
      if (failed) code = failed;
    }
    if (code == std::errc::no_such_file_or_directory) code.clear();
  } else {
    fs::remove_all(path, code);
    // Prefixes are not things of their own: empty directories go with their last object.
    std::error_code ignored;
    for (fs::path above = path.parent_path(); above != root_ / uri.bucket && fs::remove(above, ignored);) {
      above = above.parent_path();
    }
  }
  if (code) return fail(ErrorCode::Internal, "can't remove " + uri.text() + ": " + code.message());
  return {};
}

std::string join_uri(std::string_view prefix, std::string_view name) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  while (name.starts_with('/')) name.remove_prefix(1);
  return std::string(prefix) + "/" + std::string(name);
}

}  // namespace millrace::tasks
