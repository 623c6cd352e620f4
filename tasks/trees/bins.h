#pragma once
// Bins: a matrix as small whole numbers, the only form in which trees look at their training rows.
//
// - A feature's cuts are the middles between its values when they are few, else quantiles (weighted by the
//   rows' weights) of all rows or, beyond kSampleRows, of one row drawn from each of kSampleRows equal
//   stretches. A heavy value gets a bin of its own. bin(x) = number of cuts <= x, so "bin <= b" is x <
//   cuts[b]. Missing values have the last bin.
// - Small features share a column: their bins are the digits of one number below 256 (eight yes/no features
//   make one column), so that a histogram has fewer columns to add to; it is taken apart when splits are
//   sought.
// - Rows lie side by side, one byte a column, or two when some feature has more than 256 bins.
//
// Immutable once made; the same for any number of threads.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tasks/numeric/matrix.h"
#include "tasks/trees/team.h"

namespace millrace::tasks::trees {

inline constexpr std::size_t kSampleRows = 1u << 18;
inline constexpr std::uint32_t kColumnBins = 256;  // of a column of bytes

struct Feature {
  std::uint32_t column = 0;
  std::uint32_t multiplier = 1;     // of its digit in the column's number
  std::uint32_t bins = 1;           // with the one of missing values; 1: nothing to split
  std::uint32_t values = 1;         // bins of values
  bool missing = false;             // the training rows have missing values
  std::vector<float> cuts;          // values - 1, ascending
  std::vector<std::uint8_t> digit;  // by column bin: this feature's bin; empty when the column is its own
};

struct Column {
  std::size_t offset = 0;  // in a histogram
  std::uint32_t bins = 1;
  std::vector<std::uint32_t> features;
};

class Bins {
 public:
  // X without infinities; weights empty or a row each; 2 <= max_bin <= 65536; rows below 2^31.
  Bins(MatrixView X, std::span<const float> weights, std::uint32_t max_bin, Team& team);
  // The same bins of rows that are never in memory together: a pass over them finds their number and which
  // columns have missing values, a second the sample (values and weights of sampled_rows, in their order),
  // and fill_rows takes them in a third.
  Bins(std::size_t rows, MatrixView sample, std::span<const float> sample_weights,
       const std::vector<char>& missing, std::uint32_t max_bin, Team& team);
  static std::vector<std::size_t> sampled_rows(std::size_t rows);  // ascending
  // The same bins of `rows` of them, for fill_rows, when others have the rest: `sample` gives the sampled
  // values of columns [first, first + values.size()) of all rows, and their weights when there are weights.
  using SampleOf = std::function<void(std::size_t first, std::vector<std::vector<float>>& values,
                                      std::vector<std::vector<float>>& weights)>;
  Bins(std::size_t rows, std::size_t columns, const SampleOf& sample, const std::vector<char>& missing,
       std::uint32_t max_bin, Team& team);
  void fill_rows(std::size_t first, MatrixView X, Team& team);

  std::size_t rows() const { return rows_; }
  const std::vector<Feature>& features() const { return features_; }
  const std::vector<Column>& columns() const { return columns_; }
  std::size_t stride() const { return stride_; }  // elements of a row
  bool wide() const { return wide_; }
  const std::uint8_t* bytes() const { return bytes_.data(); }
  const std::uint16_t* words() const { return words_.data(); }
  // Of a feature with more than one bin.
  std::uint32_t bin(const Feature& feature, std::size_t row) const {
    const std::uint32_t own =
        wide_ ? words_[row * stride_ + feature.column] : by_column_[feature.column * rows_ + row];
    return feature.digit.empty() ? own : feature.digit[own];
  }
  // The bytes of a column again, row after row: what a split looks at. Not when wide().
  const std::uint8_t* column(std::size_t c) const { return by_column_.data() + c * rows_; }
  std::size_t histogram_size() const { return histogram_size_; }  // entries, over all columns

 private:
  void find_cuts(const SampleOf& sample, const std::vector<char>& missing, std::uint32_t max_bin, Team& team);
  void place_columns();
  template <class Bin>
  void fill_as(std::size_t first, MatrixView X, Team& team, std::vector<Bin>& out);

  std::size_t rows_ = 0, stride_ = 0, histogram_size_ = 0;
  bool wide_ = false;
  std::vector<Feature> features_;
  std::vector<Column> columns_;
  std::vector<std::uint8_t> bytes_, by_column_;
  std::vector<std::uint16_t> words_;
};

// Which columns have missing values.
std::vector<char> find_missing(MatrixView X, Team& team);
// The cuts of one feature from its sampled values (no NaN; in any order) and their weights (empty: 1 each):
// at most `values` - 1 of them.
std::vector<float> find_cuts_of(std::vector<float> sample, std::span<const float> weights,
                                std::uint32_t values);

}  // namespace millrace::tasks::trees
