#pragma once
// The text side of batch transform: records out of a file of any size, columns picked by DataProcessing's
// filters, and a file that appears whole or not at all. One worker thread.

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

// Some whole records (lines; a quoted cell of CSV may hold line ends) of a file, without their last line end.
struct RecordBatch {
  std::vector<std::string> records;
  std::size_t first = 1;  // number of the first record in the file, from 1
};

class RecordReader {
 public:
  static Result<RecordReader> open(const std::filesystem::path& path, bool quotes);
  RecordReader(RecordReader&& other) noexcept;
  RecordReader& operator=(RecordReader&&) = delete;
  ~RecordReader();
  // At most `records_max`, not counting empty lines, which are left out; none at the end of the file.
  // DataLoss.
  Result<RecordBatch> next(std::size_t records_max);

 private:
  RecordReader(std::FILE* file, bool quotes) : file_(file), quotes_(quotes) {}
  std::FILE* file_;
  bool quotes_;
  std::size_t read_ = 0;
};

// A JSONPath over one row as SageMaker's filters use it: "$", "$[2]", "$[1:]", "$[:-1]", "$[0,-1]".
class ColumnFilter {
 public:
  static Result<ColumnFilter> parse(std::string_view name, std::string_view text);
  bool all() const { return !slice_ && picks_.empty(); }
  // The cells of a CSV record that are kept, as one record. InvalidArgument when a position is not there.
  Result<std::string> apply(std::string_view record) const;

 private:
  struct Slice {
    std::optional<long> from, to;
  };
  std::optional<Slice> slice_;
  std::vector<long> picks_;
};

// The cells of one CSV record as they are written, quotes included.
std::vector<std::string_view> raw_cells(std::string_view record);

// A file that is written under another name and takes its place in commit(); removed when that never happens.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();
  Status append(std::string_view bytes);  // OutOfSpace
  Status commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  std::filesystem::path path_, temporary_;
  int descriptor_;
};

}  // namespace millrace::tasks
