#pragma once
// Matrix and MatrixView: dense, row-major, float: what estimators take and give. Eigen maps over it where
// algebra is done.

#include <cstddef>
#include <span>
#include <vector>

namespace millrace::tasks {

struct MatrixView {
  const float* data = nullptr;
  std::size_t rows = 0, cols = 0;  // shape (rows, cols), row i starts at data + i * cols
  std::span<const float> row(std::size_t i) const { return {data + i * cols, cols}; }
  MatrixView slice(std::size_t first, std::size_t count) const { return {data + first * cols, count, cols}; }
};

struct Matrix {
  std::vector<float> values;
  std::size_t rows = 0, cols = 0;

  Matrix() = default;
  Matrix(std::size_t r, std::size_t c) : values(r * c), rows(r), cols(c) {}
  float& at(std::size_t i, std::size_t j) { return values[i * cols + j]; }
  float at(std::size_t i, std::size_t j) const { return values[i * cols + j]; }
  operator MatrixView() const { return {values.data(), rows, cols}; }
};

}  // namespace millrace::tasks
