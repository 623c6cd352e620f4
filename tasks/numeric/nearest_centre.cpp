#include "tasks/numeric/nearest_centre.h"

#include <algorithm>
#include <limits>

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

// The smallest of `count` numbers, eight at a time.
float smallest(const float* values, std::size_t count) {
  constexpr std::size_t kLanes = 8;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, std::numeric_limits<float>::infinity());
  std::size_t c = 0;
  for (; c + kLanes <= count; c += kLanes) {
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] = values[c + l] < lanes[l] ? values[c + l] : lanes[l];
  }
  for (; c < count; ++c) lanes[0] = std::min(lanes[0], values[c]);
  return *std::min_element(lanes, lanes + kLanes);
}

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
  for (std::size_t i = 0; i < n; ++i) {
    float* distance = products.data() + i * k;  // without the row's own square
    for (std::size_t c = 0; c < k; ++c) distance[c] = norms_[c] - 2 * distance[c];
    const float least = smallest(distance, k);
    const std::size_t found = static_cast<std::size_t>(std::find(distance, distance + k, least) - distance);
    const std::size_t best = found < k ? found : 0;  // numbers too large to compare
    nearest[i] = static_cast<std::uint32_t>(best);
    if (!distances) continue;
    float norm = 0;
    for (std::size_t j = 0; j < d; ++j) norm += rows[i * d + j] * rows[i * d + j];
    distances[i] = std::max(0.0f, norm + least);
    if (!seconds) continue;
    distance[best] = std::numeric_limits<float>::infinity();
    seconds[i] = std::max(distances[i], norm + smallest(distance, k));
  }
}

}  // namespace millrace::tasks
