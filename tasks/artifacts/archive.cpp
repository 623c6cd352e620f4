#include "tasks/artifacts/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>

#include "tasks/artifacts/files.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1 << 18;
// Level 3 packs a forest of 30 MB in a third of the default level's time and is 6 % larger.
constexpr const char* kGzipLevel = "3";

struct EntryFree {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
struct ReaderFree {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
struct WriterFree {
  void operator()(archive* writer) const { archive_write_free(writer); }
};

tl::unexpected<Error> unreadable(const fs::path& path, const std::string& why) {
  return fail(ErrorCode::DataLoss, path.string() + " is no usable archive: " + why,
              "expected a tar file, plain or packed by gzip or zstd");
}

std::string archive_words(archive* of) {
  const char* words = archive_error_string(of);
  return words != nullptr ? words : "it ends too early";
}

// The entry's name as a path below the archive's root; empty: it leads outside.
std::string archive_name(const char* given) {
  const fs::path path = fs::path(given != nullptr ? given : "").lexically_normal();
  if (path.empty() || path.is_absolute() || *path.begin() == "..") return {};
  return path.generic_string();
}

// One regular file of an archive: its name, whether it is executable, and its bytes piece by piece.
struct ArchivedFile {
  std::string name;
  bool executable = false;
  std::uint64_t bytes = 0;  // as the header says
  std::function<Status(const std::function<Status(std::string_view)>& take)> each_piece;
};

class ArchiveWalk {
 public:
  ArchiveWalk(const fs::path& path, const ArchiveLimits& limits) : path_(path), limits_(limits) {}

  Status run(const std::function<Status(const ArchivedFile&)>& visit) {
    std::error_code code;
    if (!fs::is_regular_file(path_, code))
      return fail(ErrorCode::NotFound, "there is no file " + path_.string());
    archive_read_support_format_tar(reader_.get());
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_filter_zstd(reader_.get());
    if (archive_read_open_filename(reader_.get(), path_.c_str(), kPieceBytes) != ARCHIVE_OK)
      return unreadable(path_, archive_words(reader_.get()));
    std::size_t files = 0;
    for (archive_entry* entry = nullptr;;) {
      const int code_of_next = archive_read_next_header(reader_.get(), &entry);
      if (code_of_next == ARCHIVE_EOF) return {};
      if (code_of_next != ARCHIVE_OK) return unreadable(path_, archive_words(reader_.get()));
      if (++files > limits_.files_max)
        return unreadable(path_, "it has more than " + std::to_string(limits_.files_max) + " entries");
      MR_DO(visit_entry(entry, visit));
    }
  }

 private:
  Status visit_entry(archive_entry* entry, const std::function<Status(const ArchivedFile&)>& visit) {
    if (archive_entry_filetype(entry) == AE_IFDIR) return {};  // made with the files in them
    const char* given = archive_entry_pathname(entry);
    const std::string name = archive_name(given);
    const std::string quoted = "\"" + std::string(given != nullptr ? given : "").substr(0, 200) + "\"";
    if (name.empty() || name.ends_with('/')) return unreadable(path_, quoted + " leads outside");
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr)
      return unreadable(path_, quoted + " is a link or a device; only files are taken");
    ArchivedFile file;
    file.name = name;
    file.executable = (archive_entry_perm(entry) & 0100u) != 0;
    file.bytes = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
    file.each_piece = [this](const std::function<Status(std::string_view)>& take) { return pieces(take); };
    return visit(file);
  }

  Status pieces(const std::function<Status(std::string_view)>& take) {
    std::array<char, 1 << 16> piece;
    for (;;) {
      const la_ssize_t got = archive_read_data(reader_.get(), piece.data(), piece.size());
      if (got < 0) return unreadable(path_, archive_words(reader_.get()));
      if (got == 0) return {};
      bytes_ += static_cast<std::uint64_t>(got);
      if (bytes_ > limits_.bytes_max)
        return unreadable(path_, "it unpacks to more than " + std::to_string(limits_.bytes_max) + " bytes");
      MR_DO(take({piece.data(), static_cast<std::size_t>(got)}));
    }
  }

  const fs::path& path_;
  const ArchiveLimits& limits_;
  std::uint64_t bytes_ = 0;
  std::unique_ptr<archive, ReaderFree> reader_{archive_read_new()};
};

class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Status unpack_file(const ArchivedFile& file, const fs::path& target) {
  std::error_code code;
  fs::create_directories(target.parent_path(), code);
  fs::remove(target, code);  // never through a link that stands there
  const OpenFile out(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                            file.executable ? 0777 : 0666));
  if (out.get() < 0)
    return fail(ErrorCode::Internal, "can't write " + target.string() + ": " + std::strerror(errno));
  return file.each_piece(
      [&](std::string_view piece) { return write_all(out.get(), piece, target.string()); });
}

}  // namespace

struct ArchiveWriter::Open {
  fs::path target, temporary;
  int descriptor = -1;
  std::unique_ptr<archive, WriterFree> writer;

  ~Open() {
    writer.reset();
    if (descriptor >= 0) ::close(descriptor);
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }
  tl::unexpected<Error> error(const std::string& words, int number) const {
    if (number == ENOSPC || number == EDQUOT)
      return fail(ErrorCode::OutOfSpace, "can't write " + target.string() + ": " + words,
                  "free space on the disk of the home directory");
    return fail(ErrorCode::Internal, "can't write " + target.string() + ": " + words);
  }
  tl::unexpected<Error> error() const {
    return error(archive_words(writer.get()), archive_errno(writer.get()));
  }

  Status header(std::string_view name, std::uint64_t bytes, bool executable) {
    const std::unique_ptr<archive_entry, EntryFree> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), std::string(name).c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), executable ? 0755 : 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    if (archive_write_header(writer.get(), entry.get()) != ARCHIVE_OK) return error();
    return {};
  }
  Status data(std::string_view bytes) {
    while (!bytes.empty()) {
      const la_ssize_t put = archive_write_data(writer.get(), bytes.data(), bytes.size());
      if (put <= 0) return error();
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
  }
};

ArchiveWriter::ArchiveWriter(std::unique_ptr<Open> open) : open_(std::move(open)) {}
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;
ArchiveWriter& ArchiveWriter::operator=(ArchiveWriter&&) noexcept = default;
ArchiveWriter::~ArchiveWriter() = default;

Result<ArchiveWriter> ArchiveWriter::create(const fs::path& path) {
  static std::atomic<std::uint64_t> serial{0};
  auto open = std::make_unique<Open>();
  open->target = path;
  MR_DO(make_directories(path.parent_path()));
  open->temporary = path.parent_path() / (std::string(kUnfinishedPrefix) + "archive-" +
                                          std::to_string(::getpid()) + "-" + std::to_string(serial++));
  open->descriptor =
      ::open(open->temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (open->descriptor < 0) return open->error(std::strerror(errno), errno);
  open->writer.reset(archive_write_new());
  archive* writer = open->writer.get();
  if (archive_write_set_format_pax_restricted(writer) != ARCHIVE_OK ||
      archive_write_add_filter_gzip(writer) != ARCHIVE_OK ||
      archive_write_set_filter_option(writer, "gzip", "compression-level", kGzipLevel) != ARCHIVE_OK ||
      archive_write_set_filter_option(writer, "gzip", "timestamp", nullptr) != ARCHIVE_OK ||
      archive_write_set_bytes_in_last_block(writer, 1) != ARCHIVE_OK ||
      archive_write_open_fd(writer, open->descriptor) != ARCHIVE_OK)
    return open->error();
  return ArchiveWriter(std::move(open));
}

Status ArchiveWriter::add(std::string_view name, std::string_view bytes, bool executable) {
  MR_DO(open_->header(name, bytes.size(), executable));
  return open_->data(bytes);
}

Status ArchiveWriter::add_file(std::string_view name, const fs::path& file) {
  const OpenFile in(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (in.get() < 0 || ::fstat(in.get(), &status) != 0)
    return fail(ErrorCode::NotFound, "can't open " + file.string() + ": " + std::strerror(errno));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  MR_DO(open_->header(name, size, (status.st_mode & 0100u) != 0));
  std::string piece(kPieceBytes, '\0');
  for (std::uint64_t left = size; left > 0;) {
    const ssize_t got = ::read(in.get(), piece.data(), std::min<std::uint64_t>(piece.size(), left));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return fail(ErrorCode::DataLoss, "can't read " + file.string() + ": " +
                                           (got < 0 ? std::strerror(errno) : "it became shorter"));
    MR_DO(open_->data(std::string_view(piece).substr(0, static_cast<std::size_t>(got))));
    left -= static_cast<std::uint64_t>(got);
  }
  return {};
}

Status ArchiveWriter::finish() {
  Open& open = *open_;
  if (archive_write_close(open.writer.get()) != ARCHIVE_OK) return open.error();
  if (::fsync(open.descriptor) != 0) return open.error(std::strerror(errno), errno);
  if (::rename(open.temporary.c_str(), open.target.c_str()) != 0)
    return open.error(std::strerror(errno), errno);
  open.temporary.clear();
  return sync_directory(open.target.parent_path());
}

Result<std::map<std::string, std::string>> read_archive(const fs::path& path, const ArchiveLimits& limits) {
  std::map<std::string, std::string> files;
  ArchiveWalk walk(path, limits);
  MR_DO(walk.run([&](const ArchivedFile& file) {
    std::string& bytes = files[file.name];
    bytes.clear();
    bytes.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(file.bytes, 1u << 26)));
    return file.each_piece([&](std::string_view piece) -> Status {
      bytes += piece;
      return {};
    });
  }));
  return files;
}

Status extract_archive(const fs::path& path, const fs::path& directory, const ArchiveLimits& limits) {
  std::error_code code;
  fs::create_directories(directory, code);
  ArchiveWalk walk(path, limits);
  return walk.run([&](const ArchivedFile& file) { return unpack_file(file, directory / file.name); });
}

}  // namespace millrace::tasks
