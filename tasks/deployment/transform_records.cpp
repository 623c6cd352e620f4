#include "tasks/deployment/transform_records.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "tasks/artifacts/files.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

std::optional<long> whole_number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<RecordReader> RecordReader::open(const fs::path& path, bool quotes) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (!file) return fail(ErrorCode::NotFound, "can't open " + path.string() + ": " + std::strerror(errno));
  return RecordReader(file, quotes);
}

RecordReader::RecordReader(RecordReader&& other) noexcept
    : file_(other.file_), quotes_(other.quotes_), read_(other.read_) {
  other.file_ = nullptr;
}

RecordReader::~RecordReader() {
  if (file_) std::fclose(file_);
}

Result<RecordBatch> RecordReader::next(std::size_t records_max) {
  RecordBatch batch;
  batch.first = read_ + 1;
  std::string record;
  bool quoted = false;
  const auto end_record = [&] {
    if (!record.empty() && record.back() == '\r') record.pop_back();
    if (!record.empty()) batch.records.push_back(std::move(record));
    record.clear();
  };
  while (batch.records.size() < records_max) {
    const int c = ::getc_unlocked(file_);
    if (c == EOF) {
      if (std::ferror(file_))
        return fail(ErrorCode::DataLoss, std::string("reading failed: ") + std::strerror(errno));
      end_record();
      break;
    }
    if (quotes_ && c == '"') quoted = !quoted;
    if (c == '\n' && !quoted)
      end_record();
    else
      record.push_back(static_cast<char>(c));
  }
  read_ += batch.records.size();
  return batch;
}

Result<ColumnFilter> ColumnFilter::parse(std::string_view name, std::string_view text) {
  ColumnFilter filter;
  const std::string_view path = trimmed(text, " ");
  const auto refuse = [&] {
    return invalid(std::string(name) + ": \"" + std::string(text) + "\" is not supported",
                   "use $, $[2], $[1:], $[:-1] or $[0,-1]");
  };
  if (path.empty() || path == "$") return filter;
  if (path.substr(0, 2) != "$[" || path.back() != ']') return refuse();
  std::string_view inside = path.substr(2, path.size() - 3);
  if (const std::size_t colon = inside.find(':'); colon != std::string_view::npos) {
    const std::string_view from = trimmed(inside.substr(0, colon), " "),
                           to = trimmed(inside.substr(colon + 1), " ");
    filter.slice_ = Slice{whole_number(from), whole_number(to)};
    if ((!from.empty() && !filter.slice_->from) || (!to.empty() && !filter.slice_->to)) return refuse();
    return filter;
  }
  for (;;) {
    const std::size_t comma = inside.find(',');
    const auto position = whole_number(trimmed(inside.substr(0, comma), " "));
    if (!position) return refuse();
    filter.picks_.push_back(*position);
    if (comma == std::string_view::npos) return filter;
    inside.remove_prefix(comma + 1);
  }
}

Result<std::string> ColumnFilter::apply(std::string_view record) const {
  if (all()) return std::string(record);
  const std::vector<std::string_view> cells = raw_cells(record);
  const long count = static_cast<long>(cells.size());
  std::vector<long> kept = picks_;
  if (slice_) {
    const auto bound = [&](const std::optional<long>& given, long otherwise) {
      const long at = given.value_or(otherwise);
      return std::clamp(at < 0 ? at + count : at, 0L, count);
    };
    for (long i = bound(slice_->from, 0); i < bound(slice_->to, count); ++i) kept.push_back(i);
  }
  std::string result;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const long at = kept[i] < 0 ? kept[i] + count : kept[i];
    if (at < 0 || at >= count)
      return invalid("a filter picks column " + std::to_string(kept[i]) + " of a record with " +
                     std::to_string(count) + " columns");
    if (i > 0) result += ',';
    result += cells[static_cast<std::size_t>(at)];
  }
  return result;
}

std::vector<std::string_view> raw_cells(std::string_view record) {
  std::vector<std::string_view> cells;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= record.size(); ++i) {
    if (i == record.size() || (record[i] == ',' && !quoted)) {
      cells.push_back(record.substr(begin, i - begin));
      begin = i + 1;
    } else if (record[i] == '"') {
      quoted = !quoted;
    }
  }
  return cells;
}

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path.parent_path(), code);
  const fs::path temporary = path.parent_path() / (std::string(kUnfinishedPrefix) + path.filename().string());
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return fail(ErrorCode::Internal, "can't write " + path.string() + ": " + std::strerror(errno));
  return AtomicFile(path, temporary, descriptor);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), descriptor_(other.descriptor_) {
  other.descriptor_ = -1;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Status AtomicFile::append(std::string_view bytes) {
  return write_all(descriptor_, bytes, path_.string());
}

Status AtomicFile::commit() {
  if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0)
    return fail(errno == ENOSPC ? ErrorCode::OutOfSpace : ErrorCode::Internal,
                "can't write " + path_.string() + ": " + std::strerror(errno));
  ::close(descriptor_);
  descriptor_ = -1;
  return {};
}

}  // namespace millrace::tasks
