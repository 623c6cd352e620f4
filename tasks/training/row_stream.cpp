#include "tasks/training/row_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <thread>

#include "base/cpu_meter.h"
#include "base/encoding.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/table/csv.h"
#include "tasks/table/number_rows.h"
#include "tasks/training/channel_data.h"
#include "tasks/training/ring.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct SourceFile {
  std::string name;  // s3://…
  std::filesystem::path path;
  std::uint64_t bytes = 0;
};

// Whole lines of one file, with room around them.
struct TextPiece {
  std::vector<char> room;
  std::size_t size = 0;  // of the lines, which begin at room[kBefore]
  std::size_t file = 0;
  bool first_of_file = false;
  std::optional<Error> error;

  std::string_view lines() const { return {room.data() + NumberRows::kBefore, size}; }
};

struct CellPiece {
  bool counted = false;  // its rows are of other ranks: there are no cells
  std::size_t file = 0;
  bool first_of_file = false;
  std::unique_ptr<double[]> cells;
  std::size_t capacity = 0, rows = 0, bytes = 0;
  std::optional<Error> error;
};

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ >= 0) ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// One pass over the files: the two threads and what stands between them.
class StreamPass {
 public:
  StreamPass(const std::vector<SourceFile>& files, const ChannelColumns& columns, Sha256* hash,
             const std::function<void(std::size_t)>& pace, const RankRows* ranks)
      : files_(files), columns_(columns), hash_(hash), pace_(pace), ranks_(ranks) {
    CpuMeter* const meter = CpuMeter::current();
    reader_ = std::jthread([this, meter] {
      const CpuScope scope(meter);
      read_files();
    });
    parser_ = std::jthread([this, meter] {
      const CpuScope scope(meter);
      parse_pieces();
    });
  }
  ~StreamPass() {
    texts_.stop();
    cells_.stop();
  }

  Ring<CellPiece, 2>& cells() { return cells_; }

 private:
  void read_files() {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (!read_one(i)) return;
    }
    texts_.close();
  }

  // False: nobody reads on.
  bool read_one(std::size_t index) {
    const Descriptor file(files_[index].path);
    std::string carried;  // the beginning of a line
    for (bool first = true, ended = false; !ended; first = false) {
      TextPiece* piece = texts_.begin_write();
      if (piece == nullptr) return false;
      piece->file = index, piece->first_of_file = first, piece->error.reset();
      ended = fill(file.get(), *piece, carried);
      const bool failed = piece->error.has_value();
      texts_.end_write();
      if (failed) {
        texts_.close();
        return false;
      }
    }
    return true;
  }

  // Whole lines into the piece; what is behind the last line end is carried over. True at the end of the
  // file.
  bool fill(int fd, TextPiece& piece, std::string& carried) {
    std::size_t wanted = kPieceBytes, have = carried.size();
    piece.room.resize(NumberRows::kBefore + wanted + NumberRows::kBehind + 1);
    std::memcpy(piece.room.data() + NumberRows::kBefore, carried.data(), have);
    carried.clear();
    for (;;) {
      char* lines = piece.room.data() + NumberRows::kBefore;
      const ssize_t got = ::read(fd, lines + have, wanted - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        piece.error =
            Error{ErrorCode::DataLoss, files_[piece.file].name + ": can't be read: " + std::strerror(errno)};
        return true;
      }
      if (hash_ != nullptr) hash_->update({lines + have, static_cast<std::size_t>(got)});
      if (pace_) pace_(static_cast<std::size_t>(got));
      have += static_cast<std::size_t>(got);
      if (got == 0) {
        if (have > 0 && lines[have - 1] != '\n') lines[have++] = '\n';
        piece.size = have;
        return true;
      }
      if (have < wanted) continue;
      if (const void* last = ::memrchr(lines, '\n', have)) {
        piece.size = static_cast<std::size_t>(static_cast<const char*>(last) - lines) + 1;
        carried.assign(lines + piece.size, have - piece.size);
        return false;
      }
      if (wanted >= kCsvLineBytesMax) {
        piece.error = Error{ErrorCode::LimitExceeded, files_[piece.file].name + ": a line of more than " +
                                                          std::to_string(kCsvLineBytesMax) + " bytes"};
        return true;
      }
      wanted *= 2;
      piece.room.resize(NumberRows::kBefore + wanted + NumberRows::kBehind + 1);
    }
  }

  void parse_pieces() {
    std::optional<NumberRows> rows;
    while (TextPiece* text = texts_.begin_read()) {
      CellPiece* cells = cells_.begin_write();
      if (cells == nullptr) return;
      cells->error = text->error;
      if (!cells->error) parse(*text, *cells, rows);
      const bool failed = cells->error.has_value();
      texts_.end_read();
      cells_.end_write();
      if (failed) break;
    }
    cells_.close();
    texts_.stop();
  }

  void parse(const TextPiece& text, CellPiece& cells, std::optional<NumberRows>& rows) {
    const std::string& name = files_[text.file].name;
    std::string_view lines = text.lines();
    cells.bytes = lines.size();
    cells.file = text.file, cells.first_of_file = text.first_of_file;
    if (text.first_of_file) {
      if (lines.starts_with(kByteOrderMark)) lines.remove_prefix(kByteOrderMark.size());
      std::size_t line = 1;
      if (columns_.header) {
        if (const Status good = skip_header(name, lines, line); !good) {
          cells.error = good.error();
          return;
        }
      }
      rows.emplace(columns_.names.size(), name, line);
    }
    cells.counted = false;
    if (ranks_ != nullptr) {
      cells.rows = count_rows(lines);
      const std::size_t first = std::exchange(row_, row_ + cells.rows);
      bool here = false;
      for (const RowStretch& s : ranks_->own) here |= s.number < row_ && first < s.number + s.count;
      cells.counted = !here;
      if (cells.counted) return;
    }
    if (cells.capacity < lines.size()) {
      cells.cells = std::make_unique_for_overwrite<double[]>(lines.size());
      cells.capacity = lines.size();
    }
    const auto count = rows->read(lines, cells.cells.get());
    if (!count) cells.error = count.error();
    cells.rows = count.value_or(0);
  }

  // Of whole lines; blank ones are none.
  static std::size_t count_rows(std::string_view lines) {
    std::size_t rows = 0;
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = lines.find('\n', at);
      rows += end > at && !(end == at + 1 && lines[at] == '\r');
      at = end + 1;
    }
    return rows;
  }

  Status skip_header(const std::string& name, std::string_view& lines, std::size_t& line) const {
    while (lines.starts_with('\n') || lines.starts_with("\r\n")) {
      lines.remove_prefix(lines.front() == '\r' ? 2 : 1);
      ++line;
    }
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) return invalid(name + ": empty, expected a header line");
    MR_TRY(head, parse_csv(lines.substr(0, end + 1), name));
    lines.remove_prefix(end + 1);
    ++line;
    if (head.names() == columns_.names) return {};
    return invalid(name + ": its columns are not those of " + files_.front().name,
                   "objects of one channel have the same columns in the same order");
  }

  const std::vector<SourceFile>& files_;
  const ChannelColumns& columns_;
  Sha256* const hash_;  // of the reader
  const std::function<void(std::size_t)>& pace_;
  const RankRows* const ranks_;
  std::size_t row_ = 0;  // of the parser, when there are ranks
  Ring<TextPiece, 3> texts_;
  Ring<CellPiece, 2> cells_;
  std::jthread reader_, parser_;  // last: they use what stands above
};

class CsvStream final : public ChannelStream {
 public:
  CsvStream(std::vector<SourceFile> files, ChannelColumns columns, RowStreamOptions options)
      : files_(std::move(files)), columns_(std::move(columns)), options_(std::move(options)) {
    for (std::size_t j = 0; j < columns_.names.size(); ++j) {
      const std::string& name = columns_.names[j];
      if (name == columns_.target)
        target_ = j;
      else if (name == columns_.weight)
        weight_ = j;
      else if (name == columns_.group)
        group_ = j;
      else
        features_.push_back(j), head_.feature_names.push_back(name);
    }
    head_.target_name = columns_.target;
    for (const SourceFile& file : files_) bytes_ += file.bytes;
  }

  const Dataset& head() const override { return head_; }
  double rows_expected() const override { return rows_expected_; }
  std::int64_t rows() const override { return rows_; }
  std::string sha256() const override { return digest_; }

  Result<bool> next(RowBlock& block) override {
    if (!pass_)
      pass_ = std::make_unique<StreamPass>(files_, columns_, passes_ == 0 && root() ? &hash_ : nullptr,
                                           options_.pace, options_.ranks);
    for (;;) {
      if (options_.cancelled && options_.cancelled())
        return fail(ErrorCode::Cancelled, "reading was cancelled");
      CellPiece* piece = pass_->cells().begin_read();
      if (piece == nullptr) return end_pass();
      if (piece->first_of_file) file_row_ = row_;
      if (piece->error) return fail(*piece->error);
      const bool rows = piece->rows > 0 && !piece->counted;
      if (rows) split(*piece, block);
      row_ += static_cast<std::int64_t>(piece->rows), read_ += piece->bytes;
      pass_->cells().end_read();
      if (!rows) continue;
      if (rows_expected_ == 0)
        rows_expected_ = static_cast<double>(row_) * static_cast<double>(bytes_) / static_cast<double>(read_);
      if (options_.progress)
        options_.progress(row_, static_cast<double>(read_) / static_cast<double>(bytes_));
      return true;
    }
  }

  Status rewind() override {
    pass_.reset();
    row_ = 0, read_ = 0;
    return {};
  }

 private:
  Result<bool> end_pass() {
    if (row_ == 0) return invalid("the channel holds no rows", "the first line was taken as the header");
    if (passes_++ == 0) rows_ = row_, digest_ = hash_.finish_hex();
    return false;
  }

  bool root() const { return options_.ranks == nullptr || options_.ranks->collective.rank() == 0; }

  // Which rows of a piece are wanted: all, or the rank's.
  std::vector<std::size_t> wanted_rows(std::size_t rows) const {
    std::vector<std::size_t> wanted;
    const auto first = static_cast<std::size_t>(row_);
    if (options_.ranks == nullptr) {
      wanted.resize(rows);
      std::iota(wanted.begin(), wanted.end(), std::size_t{0});
      return wanted;
    }
    for (const RowStretch& s : options_.ranks->own) {
      for (std::size_t i = std::max(first, s.number); i < std::min(first + rows, s.number + s.count); ++i)
        wanted.push_back(i - first);
    }
    return wanted;
  }

  void split(const CellPiece& piece, RowBlock& block) const {
    const std::vector<std::size_t> wanted = wanted_rows(piece.rows);
    const std::size_t n = wanted.size(), d = features_.size(), stride = columns_.names.size();
    block.first_row = row_;
    block.sources.assign(1, {files_[piece.file].name, file_row_});
    block.X.rows = n, block.X.cols = d;
    block.X.values.resize(n * d);
    block.y.resize(target_ ? n : 0);
    block.weights.resize(weight_ ? n : 0), block.groups.resize(group_ ? n : 0);
    for (std::size_t i = 0; i < n; ++i) {
      const double* row = piece.cells.get() + wanted[i] * stride;
      float* out = block.X.values.data() + i * d;
      for (std::size_t j = 0; j < d; ++j) out[j] = static_cast<float>(row[features_[j]]);
      if (target_) block.y[i] = row[*target_];
      if (weight_) block.weights[i] = row[*weight_];
      if (group_) block.groups[i] = row[*group_];
    }
  }

  const std::vector<SourceFile> files_;
  const ChannelColumns columns_;
  const RowStreamOptions options_;
  Dataset head_;
  std::vector<std::size_t> features_;
  std::optional<std::size_t> target_, weight_, group_;
  std::uint64_t bytes_ = 0, read_ = 0;
  std::int64_t row_ = 0, rows_ = 0, passes_ = 0;
  std::int64_t file_row_ = 0;  // the first row of the object that is read
  double rows_expected_ = 0;
  Sha256 hash_;
  std::string digest_;
  std::unique_ptr<StreamPass> pass_;
};

}  // namespace

Result<std::unique_ptr<ChannelStream>> open_row_stream(const ObjectStore& objects, const TrainingSpec& spec,
                                                       const TrainingChannel& channel,
                                                       RowStreamOptions options) {
  MR_TRY(columns, read_columns(objects, spec, channel));
  MR_TRY(infos, objects.list(channel.uri));
  MR_TRY(uri, parse_s3_uri(channel.uri));
  std::vector<SourceFile> files;
  for (const ObjectInfo& info : infos) {
    const std::string name = S3Uri{uri.bucket, info.key}.text();
    MR_TRY(path, objects.path_of(name));
    files.push_back({name, path, info.bytes});
  }
  return std::unique_ptr<ChannelStream>(
      new CsvStream(std::move(files), std::move(columns), std::move(options)));
}

}  // namespace millrace::tasks
