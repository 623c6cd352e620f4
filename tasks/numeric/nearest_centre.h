#pragma once
// Which of k points is nearest to each row: |x|^2 - 2 x c + |c|^2 by a dense product, with all points moved
// to the middle of the centres first so that little cancels. Ties go to the first. The answer for a row is
// the same alone and among others. Immutable; any thread.

#include <cstdint>
#include <vector>

#include "tasks/numeric/gemm.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

inline constexpr std::size_t kNearestRows = 256;  // at a time

class NearestCentre {
 public:
  explicit NearestCentre(Matrix centres);  // (k, d), k and d at least 1, finite

  const Matrix& centres() const { return centres_; }
  // The nearest centre of each row of X (at most kNearestRows), and when `distances` is given its squared
  // distance as floats have it, at least 0; with `seconds` that of the second nearest (infinite when k is 1).
  void find(MatrixView X, std::uint32_t* nearest, float* distances = nullptr, float* seconds = nullptr) const;

 private:
  Matrix centres_;
  std::vector<float> middle_, norms_;  // of the moved centres
  PackedMatrix<float> moved_;          // (d, k)
};

}  // namespace millrace::tasks
