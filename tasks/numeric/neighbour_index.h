#pragma once
// The k nearest of many rows, exactly: dense products in blocks, and for each row a heap of the best so far.
// Equally near rows go by their place. The answer for a row is the same alone and among others. Immutable;
// any thread. Cost: rows of the index times d for each row asked, and as much memory again as its rows.

#include <cstdint>
#include <vector>

#include "tasks/numeric/gemm.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

enum class NearMetric : std::uint8_t { Squared, Product, Cosine };

class NeighbourIndex {
 public:
  // rows (m, d): finite, m < 2^32; borrowed for the call. Cosine takes a row of zeros as far from all.
  NeighbourIndex(MatrixView rows, NearMetric metric);
  // The k nearest rows of each row of X, nearest first, (n, k); k <= m, X finite with d columns.
  void find(MatrixView X, std::size_t k, std::uint32_t* nearest) const;

 private:
  void move(MatrixView X, std::vector<float>& rows) const;

  std::size_t d_ = 0, count_ = 0;
  NearMetric metric_;
  std::vector<float> middle_;                // of the rows; both sides are moved by it for Squared
  std::vector<float> norms_;                 // of the moved rows, for Squared
  std::vector<PackedMatrix<float>> blocks_;  // (d, kIndexBlock) each
};

}  // namespace millrace::tasks
