#include "tasks/numeric/nearest_centre.h"

#include <algorithm>
#include <limits>

#include "tasks/numeric/isa.h"

namespace millrace::tasks {

NearestCentre::NearestCentre(Matrix centres) : centres_(std::move(centres)) {
  const std::size_t k = centres_.rows, d = centres_.cols;
  std::vector<double> sums(d);
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t j = 0; j < d; ++j) sums[j] += static_cast<double>(centres_.at(c, j));
  }
  for (const double sum : sums) middle_.push_back(static_cast<float>(sum / static_cast<double>(k)));
  Matrix moved(k, d);
  norms_.resize(k);
  for (std::size_t c = 0; c < k; ++c) {
    double norm = 0;
    for (std::size_t j = 0; j < d; ++j) {
      moved.at(c, j) = centres_.at(c, j) - middle_[j];
      norm += static_cast<double>(moved.at(c, j)) * static_cast<double>(moved.at(c, j));
    }
    norms_[c] = static_cast<float>(norm);
  }
  moved_.pack(transposed(moved.values.data(), d), d, k);
}

namespace {

constexpr std::size_t kRowsSideBySide = 16;

// Of `count` rows: products with the k centres, and the moved rows themselves (d wide).
struct NearestRows {
  const float *products, *rows, *norms;
  std::size_t k, d;
};

// The smallest distances without the rows' own squares, of each row its place, and the second smallest; and
// the rows' own squares. Rows stand side by side, so each is worked out as it would be alone.
MR_BODY void pick_nearest_body(const NearestRows& in, std::size_t count, std::uint32_t* nearest, float* least,
                               float* second, float* own) {
  for (std::size_t r = 0; r < kRowsSideBySide; ++r) {
    least[r] = second[r] = std::numeric_limits<float>::infinity();
    nearest[r] = 0, own[r] = 0;
  }
  const auto take = [&](std::size_t c, std::size_t r) {
    const float distance = in.norms[c] - 2 * in.products[r * in.k + c];
    const bool nearer = distance < least[r];
    const float passed = nearer ? least[r] : distance;
    second[r] = passed < second[r] ? passed : second[r];
    nearest[r] = nearer ? static_cast<std::uint32_t>(c) : nearest[r];
    least[r] = nearer ? distance : least[r];
  };
  const auto square = [&](std::size_t j, std::size_t r) {
    own[r] += in.rows[r * in.d + j] * in.rows[r * in.d + j];
  };
  if (count == kRowsSideBySide) {
    for (std::size_t c = 0; c < in.k; ++c)
      for (std::size_t r = 0; r < kRowsSideBySide; ++r) take(c, r);
    for (std::size_t j = 0; j < in.d; ++j)
      for (std::size_t r = 0; r < kRowsSideBySide; ++r) square(j, r);
    return;
  }
  for (std::size_t r = 0; r < count; ++r) {
    for (std::size_t c = 0; c < in.k; ++c) take(c, r);
    for (std::size_t j = 0; j < in.d; ++j) square(j, r);
  }
}
MR_KERNEL(pick_nearest,
          (const NearestRows& in, std::size_t count, std::uint32_t* nearest, float* least, float* second,
           float* own),
          (in, count, nearest, least, second, own))

}  // namespace

void NearestCentre::find(MatrixView X, std::uint32_t* nearest, float* distances, float* seconds) const {
  const std::size_t n = X.rows, k = centres_.rows, d = centres_.cols;
  static thread_local std::vector<float> rows, products;
  rows.resize(n * d), products.resize(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    const float* x = X.data + i * d;
    for (std::size_t j = 0; j < d; ++j) rows[i * d + j] = x[j] - middle_[j];
  }
  multiply(row_major(rows.data(), d), n, moved_, products.data(), k);
  for (std::size_t i = 0; i < n; i += kRowsSideBySide) {
    const std::size_t count = std::min(kRowsSideBySide, n - i);
    std::uint32_t found[kRowsSideBySide];
    float least[kRowsSideBySide], second[kRowsSideBySide], own[kRowsSideBySide];
    pick_nearest({products.data() + i * k, rows.data() + i * d, norms_.data(), k, d}, count, found, least,
                 second, own);
    for (std::size_t r = 0; r < count; ++r) {
      nearest[i + r] = found[r];
      if (distances) distances[i + r] = std::max(0.0f, own[r] + least[r]);
      if (distances && seconds) seconds[i + r] = std::max(distances[i + r], own[r] + second[r]);
    }
  }
}

}  // namespace millrace::tasks
