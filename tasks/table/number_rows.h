#pragma once
// Rows of numbers from CSV text without a table between: what training channels are read with. Cells mean
// what they mean in csv.h with CsvOptions' defaults: "", ?, NA, NaN and null are missing (NaN), quotes are
// allowed, blank lines are skipped, lines end in LF or CRLF; the values are those of parse_csv.
//
// Two builds with the same results: for AVX2 the ends of cells are found 64 bytes at a time and a cell of up
// to 16 bytes is one load, a shuffle without its point and three multiply-adds; elsewhere byte by byte. What
// is no plain decimal goes to parse_number either way. One thread at a time.

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::tasks {

class NumberRows {
 public:
  // Room around the text that the reader may touch, but neither changes nor believes.
  static constexpr std::size_t kBefore = 16, kBehind = 64;

  // `columns` cells a line; `name` is what errors call the source; `line`: the number of the first line.
  NumberRows(std::size_t columns, std::string name, std::size_t line = 1);

  // The rows of `lines`, row-major, into `cells`, which has room for one number a byte of `lines`. `lines`
  // are whole lines: they end in a line end; kBefore bytes before them and kBehind behind them can be read.
  // Returns how many rows. InvalidArgument: ragged row, text among numbers; the message names file, line and
  // cell.
  Result<std::size_t> read(std::string_view lines, double* cells);

  // For tests: without AVX2.
  void be_portable() { portable_ = true; }

 private:
  struct Position;
  Status read_portable(Position& at);
  Status read_avx2(Position& at);
  Status slow_line(Position& at);
  Status slow_cell(std::string_view cell, std::size_t column, double& out) const;
  tl::unexpected<Error> error(const std::string& what) const;

  const std::size_t columns_;
  const std::string name_;
  std::size_t line_;
  bool portable_ = false;
};

}  // namespace millrace::tasks
