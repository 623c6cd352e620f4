#pragma once
// Dense products, C (n, m) = A (n, k) B (k, m), in float or double, with A given by strides (so also
// transposed) and B packed beforehand. Every element is the sum over k in its order, without fused
// operations: the same bits for any block of rows, any number of threads and any processor. One call uses one
// thread; callers share rows out.
// Cost: 2 n m k operations at the processor's rate; k columns of B (32 floats wide) should fit the cache of
// second level, so k up to some thousands. Source: Goto and van de Geijn, Anatomy of high-performance matrix
// multiplication (2008), without the blocking over k.

#include <cstddef>
#include <vector>

namespace millrace::tasks {

// Element (i, j) is data[i * row_step + j * col_step].
template <class T>
struct Strided {
  const T* data = nullptr;
  std::size_t row_step = 0, col_step = 1;
};
template <class T>
Strided<T> row_major(const T* data, std::size_t cols) {
  return {data, cols, 1};
}
template <class T>
Strided<T> transposed(const T* data, std::size_t cols) {
  return {data, 1, cols};
}

// A right factor in panels of columns, padded with zeros. Packing it again reuses the memory.
template <class T>
class PackedMatrix {
 public:
  static constexpr std::size_t kPanel = 128 / sizeof(T);  // columns: two of the widest registers

  PackedMatrix() = default;
  PackedMatrix(Strided<T> B, std::size_t rows, std::size_t cols) { pack(B, rows, cols); }
  PackedMatrix(PackedMatrix&&) = default;
  PackedMatrix& operator=(PackedMatrix&&) = default;
  void pack(Strided<T> B, std::size_t rows, std::size_t cols);

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  // The panel of columns from `panel` * kPanel: (rows, kPanel), aligned to a cache line.
  const T* panel(std::size_t panel) const { return values_.data() + offset_ + panel * rows_ * kPanel; }

 private:
  std::vector<T> values_;
  std::size_t offset_ = 0, rows_ = 0, cols_ = 0;
};

// C (n, B.cols()), whose rows are c_step apart, = A (n, B.rows()) B; with `add` C += that.
template <class T>
void multiply(Strided<T> A, std::size_t n, const PackedMatrix<T>& B, T* C, std::size_t c_step,
              bool add = false);

// |a - b|^2 of vectors of n floats, summed in doubles in a fixed order.
double squared_distance(const float* a, const float* b, std::size_t n);

}  // namespace millrace::tasks
