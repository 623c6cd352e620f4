#include "service/objects/uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <tuple>

#include "tasks/artifacts/files.h"

namespace millrace::objects {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmallBytes = 1 << 20;
constexpr std::string_view kTemporary = "put-";
constexpr const char* kAbout = "upload";  // bucket, key, time, headers: a line each

tl::unexpected<Error> upload_error(const std::string& what) {
  const ErrorCode code = errno == ENOSPC || errno == EDQUOT ? ErrorCode::OutOfSpace
                         : errno == ENOENT                  ? ErrorCode::NotFound
                                                            : ErrorCode::Internal;
  return fail(code, what + ": " + std::strerror(errno));
}

bool is_upload_id(const std::string& id) {
  return id.size() == 36 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
         });
}

tl::unexpected<Error> no_upload(const std::string& id) {
  return fail(ErrorCode::NotFound, "there is no upload '" + id + "'");
}

}  // namespace

TempFile::~TempFile() {
  if (file_ >= 0) ::close(file_);
  if (!released_) ::unlink(path_.c_str());
}

Status TempFile::write(std::string_view bytes) {
  bytes_ += bytes.size();
  return tasks::write_all(file_, bytes, "the object");
}

Status TempFile::append(const fs::path& from, std::uint64_t offset, std::uint64_t bytes) {
  const int source = ::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (source < 0) return upload_error("can't read " + from.string());
  auto at = static_cast<off64_t>(offset);
  std::uint64_t left = bytes;
  Status done;
  while (left > 0) {
    ssize_t got = ::copy_file_range(source, &at, file_, nullptr, std::min<std::uint64_t>(left, 64u << 20), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
      std::string piece(std::min<std::uint64_t>(left, 1u << 20), '\0');
      got = ::pread(source, piece.data(), piece.size(), at);
      if (got > 0) {
        done = tasks::write_all(file_, {piece.data(), static_cast<std::size_t>(got)}, "the object");
        at += got;
      }
    }
    if (got < 0) done = upload_error("can't copy " + from.string());
    if (got == 0) done = fail(ErrorCode::DataLoss, from.string() + " is shorter than it was");
    if (!done || got <= 0) break;
    left -= static_cast<std::uint64_t>(got);
  }
  ::close(source);
  bytes_ += bytes - left;
  return done;
}

Result<FileState> TempFile::finish() {
  if (bytes_ > kSmallBytes) {
    if (::fsync(file_) != 0) return upload_error("can't sync the object");
  } else {
    ::sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WRITE);  // a beginning; an error comes back with fsync
  }
  const auto state = state_of(file_);
  ::close(file_);
  file_ = -1;
  if (!state) return fail(ErrorCode::Internal, "the object's file is no file");
  return *state;
}

fs::path TempFile::release() {
  released_ = true;
  return path_;
}

Status Uploads::clean(Instant oldest) {
  std::error_code code;
  fs::create_directories(folder_, code);
  if (code) return fail(ErrorCode::Internal, "can't make " + folder_.string() + ": " + code.message());
  std::vector<fs::path> old;
  for (auto entry = fs::directory_iterator(folder_, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    const auto upload = read(name);
    if (name.starts_with(kTemporary) || (is_upload_id(name) && (!upload || upload->begun < oldest)))
      old.push_back(entry->path());
  }
  for (const fs::path& path : old) fs::remove_all(path, code);
  return {};
}

Result<std::unique_ptr<TempFile>> Uploads::temporary() {
  fs::path path =
      folder_ / (std::string(kTemporary) + std::to_string(::getpid()) + "-" + std::to_string(++serial_));
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0) return upload_error("can't write " + path.string());
  return std::make_unique<TempFile>(file, std::move(path));
}

Status Uploads::begin(const Upload& upload) {
  const std::string about = upload.name.bucket + "\n" + upload.name.key + "\n" +
                            std::to_string(to_millis(upload.begun)) + "\n" + text_of(upload.headers);
  return tasks::replace_file(folder_ / upload.id / kAbout, about);
}

Result<Upload> Uploads::read(const std::string& id) const {
  if (!is_upload_id(id)) return no_upload(id);
  MR_TRY(text, tasks::read_file(folder_ / id / kAbout));
  Upload upload;
  upload.id = id;
  std::string_view rest = text, time;
  const auto line = [&] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view first = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return first;
  };
  upload.name.bucket = line();
  upload.name.key = line();
  time = line();
  std::int64_t millis = 0;
  std::from_chars(time.data(), time.data() + time.size(), millis);
  upload.begun = from_millis(millis);
  upload.headers = headers_of(rest);
  return upload;
}

Result<Upload> Uploads::find(const std::string& id, const ObjectName& name) const {
  auto upload = read(id);
  if (!upload || upload->name != name) return no_upload(id);
  return upload;
}

Status Uploads::add_part(const std::string& id, int number, const std::string& etag,
                         std::unique_ptr<TempFile> file) {
  if (!is_upload_id(id)) return no_upload(id);
  MR_DO(file->finish());
  MR_DO(sync_file(file->path()));
  char name[16];
  std::snprintf(name, sizeof name, "%05d-", number);
  const fs::path folder = folder_ / id, path = folder / (name + etag);
  const fs::path temporary = file->release();
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const Status failed = errno == ENOENT ? Status(no_upload(id)) : Status(upload_error("can't keep a part"));
    ::unlink(temporary.c_str());
    return failed;
  }
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    if (entry->path() != path && entry->path().filename().string().starts_with(name))
      ::unlink(entry->path().c_str());
  }
  return tasks::sync_directory(folder);
}

Result<std::vector<UploadPart>> Uploads::parts(const std::string& id) const {
  if (!is_upload_id(id)) return no_upload(id);
  std::vector<UploadPart> parts;
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder_ / id, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    const auto state = state_of(entry->path());
    if (name.size() != 38 || name[5] != '-' || !state) continue;
    UploadPart part;
    std::from_chars(name.data(), name.data() + 5, part.number);
    part.etag = name.substr(6);
    part.bytes = static_cast<std::uint64_t>(state->bytes);
    part.modified = state->modified();
    part.path = entry->path();
    parts.push_back(std::move(part));
  }
  if (code) return no_upload(id);
  std::sort(parts.begin(), parts.end(), [](const UploadPart& a, const UploadPart& b) {
    return std::tie(a.number, a.modified) < std::tie(b.number, b.modified);
  });
  // A part that was sent twice, of which a crash left both: the newer one is it.
  const auto older = [](const UploadPart& a, const UploadPart& b) { return a.number == b.number; };
  std::reverse(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end(), older), parts.end());
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Status Uploads::remove(const std::string& id) {
  if (!is_upload_id(id)) return no_upload(id);
  std::error_code code;
  // Its description first: what is left of an upload without one is removed by the next start.
  fs::remove(folder_ / id / kAbout, code);
  fs::remove_all(folder_ / id, code);
  if (code) return fail(ErrorCode::Internal, "can't remove the upload " + id + ": " + code.message());
  return tasks::sync_directory(folder_);
}

std::vector<Upload> Uploads::list(const std::string& bucket) const {
  std::vector<Upload> found;
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder_, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    auto upload = read(entry->path().filename().string());
    if (upload && (bucket.empty() || upload->name.bucket == bucket)) found.push_back(*std::move(upload));
  }
  std::sort(found.begin(), found.end(), [](const Upload& a, const Upload& b) {
    return std::tie(a.name.key, a.id) < std::tie(b.name.key, b.id);
  });
  return found;
}

}  // namespace millrace::objects
