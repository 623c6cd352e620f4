#include "tasks/numeric/gemm.h"

#include <cstdint>
#include <cstring>

#include "tasks/numeric/isa.h"

namespace millrace::tasks {

namespace {

template <class T, int Bytes>
struct Register {
  typedef T type __attribute__((vector_size(Bytes)));
};

template <class T>
struct Product {
  Strided<T> A;
  std::size_t n = 0;
  const PackedMatrix<T>* B = nullptr;
  T* C = nullptr;
  std::size_t c_step = 0;
  bool add = false;
};

// R rows of A by two registers of columns of a panel.
template <class T, int Bytes, int R>
MR_BODY void gemm_tile(const Product<T>& p, std::size_t row, const T* panel, std::size_t column) {
  using V = typename Register<T, Bytes>::type;
  constexpr std::size_t kLanes = static_cast<std::size_t>(Bytes) / sizeof(T);
  const std::size_t k = p.B->rows(), col_step = p.A.col_step, row_step = p.A.row_step;
  const T* a = p.A.data + row * row_step;
  V left[R], right[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) left[r] = V{}, right[r] = V{};
  for (std::size_t i = 0; i < k; ++i) {
    V b0, b1;
    std::memcpy(&b0, panel + i * PackedMatrix<T>::kPanel, sizeof b0);
    std::memcpy(&b1, panel + i * PackedMatrix<T>::kPanel + kLanes, sizeof b1);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const T value = a[static_cast<std::size_t>(r) * row_step + i * col_step];
      left[r] += value * b0;
      right[r] += value * b1;
    }
  }
  const std::size_t columns = p.B->cols() - column < 2 * kLanes ? p.B->cols() - column : 2 * kLanes;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    T sums[2 * kLanes];
    std::memcpy(sums, &left[r], sizeof left[r]);
    std::memcpy(sums + kLanes, &right[r], sizeof right[r]);
    T* c = p.C + (row + static_cast<std::size_t>(r)) * p.c_step + column;
    if (p.add) {
      for (std::size_t j = 0; j < columns; ++j) c[j] += sums[j];
    } else if (columns == 2 * kLanes) {
      std::memcpy(c, sums, sizeof sums);
    } else {
      for (std::size_t j = 0; j < columns; ++j) c[j] = sums[j];
    }
  }
}

// `kRows` rows at a time, as many as the registers hold.
template <class T, int Bytes, int kRows>
MR_BODY void gemm_rows(const Product<T>& p) {
  constexpr std::size_t kColumns = 2 * static_cast<std::size_t>(Bytes) / sizeof(T);
  constexpr std::size_t kPanel = PackedMatrix<T>::kPanel;
  for (std::size_t column = 0; column < p.B->cols(); column += kColumns) {
    const T* panel = p.B->panel(column / kPanel) + column % kPanel;
    std::size_t row = 0;
    for (; row + kRows <= p.n; row += kRows) gemm_tile<T, Bytes, kRows>(p, row, panel, column);
    for (; row + 2 <= p.n; row += 2) gemm_tile<T, Bytes, 2>(p, row, panel, column);
    for (; row < p.n; ++row) gemm_tile<T, Bytes, 1>(p, row, panel, column);
  }
}

#if defined(__x86_64__)
MR_AVX512 void gemm_avx512(const Product<float>& p) {
  gemm_rows<float, 64, 8>(p);
}
MR_AVX512 void gemm_avx512(const Product<double>& p) {
  gemm_rows<double, 64, 8>(p);
}
MR_AVX2 void gemm_avx2(const Product<float>& p) {
  gemm_rows<float, 32, 6>(p);
}
MR_AVX2 void gemm_avx2(const Product<double>& p) {
  gemm_rows<double, 32, 6>(p);
}
#endif
void gemm_plain(const Product<float>& p) {
  gemm_rows<float, 16, 4>(p);
}
void gemm_plain(const Product<double>& p) {
  gemm_rows<double, 16, 4>(p);
}

}  // namespace

template <class T>
void PackedMatrix<T>::pack(Strided<T> B, std::size_t rows, std::size_t cols) {
  constexpr std::size_t kLine = 64;
  rows_ = rows, cols_ = cols;
  const std::size_t panels = (cols + kPanel - 1) / kPanel,
                    needed = panels * rows * kPanel + kLine / sizeof(T);
  if (values_.size() < needed) values_.resize(needed);
  const auto address = reinterpret_cast<std::uintptr_t>(values_.data());
  offset_ = (kLine - address % kLine) % kLine / sizeof(T);
  for (std::size_t p = 0; p < panels; ++p) {
    const std::size_t first = p * kPanel, here = cols - first < kPanel ? cols - first : kPanel;
    T* out = values_.data() + offset_ + first * rows;
    for (std::size_t i = 0; i < rows; ++i, out += kPanel) {
      const T* from = B.data + i * B.row_step + first * B.col_step;
      for (std::size_t j = 0; j < here; ++j) out[j] = from[j * B.col_step];
      for (std::size_t j = here; j < kPanel; ++j) out[j] = 0;
    }
  }
}

template <class T>
void multiply(Strided<T> A, std::size_t n, const PackedMatrix<T>& B, T* C, std::size_t c_step, bool add) {
  const Product<T> product{A, n, &B, C, c_step, add};
#if defined(__x86_64__)
  if (isa() == Isa::Avx512) return gemm_avx512(product);
  if (isa() == Isa::Avx2) return gemm_avx2(product);
#endif
  gemm_plain(product);
}

double squared_distance(const float* a, const float* b, std::size_t n) {
  double sums[4] = {0, 0, 0, 0};
  std::size_t j = 0;
  for (; j + 4 <= n; j += 4) {
    for (std::size_t l = 0; l < 4; ++l) {
      const double difference = static_cast<double>(a[j + l]) - static_cast<double>(b[j + l]);
      sums[l] += difference * difference;
    }
  }
  for (; j < n; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sums[0] += difference * difference;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template void multiply(Strided<float>, std::size_t, const PackedMatrix<float>&, float*, std::size_t, bool);
template void multiply(Strided<double>, std::size_t, const PackedMatrix<double>&, double*, std::size_t, bool);

}  // namespace millrace::tasks
