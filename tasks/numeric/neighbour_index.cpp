#include "tasks/numeric/neighbour_index.h"

#include <algorithm>
#include <cmath>

namespace millrace::tasks {

namespace {

constexpr std::size_t kIndexBlock = 1024;
constexpr std::size_t kNearStep = 16;  // rows that are passed over together

struct Near {
  float distance;
  std::uint32_t row;
  friend bool operator<(const Near& a, const Near& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
  }
};

bool any_below(const float* distances, std::size_t count, float limit) {
  int below = 0;
  for (std::size_t r = 0; r < count; ++r) below |= distances[r] < limit;
  return below != 0;
}

// Rows come in their order, so an equally near one never takes the place of one before it.
void keep_near(Near row, std::size_t k, std::vector<Near>& heap) {
  if (heap.size() == k && !(row.distance < heap.front().distance)) return;
  if (heap.size() == k) std::pop_heap(heap.begin(), heap.end()), heap.pop_back();
  heap.push_back(row);
  std::push_heap(heap.begin(), heap.end());
}

}  // namespace

NeighbourIndex::NeighbourIndex(MatrixView rows, NearMetric metric)
    : d_(rows.cols), count_(rows.rows), metric_(metric), middle_(rows.cols) {
  for (std::size_t j = 0; metric == NearMetric::Squared && j < d_; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < count_; ++i) sum += static_cast<double>(rows.data[i * d_ + j]);
    middle_[j] = static_cast<float>(sum / static_cast<double>(count_));
  }
  std::vector<float> moved;
  for (std::size_t begin = 0; begin < count_; begin += kIndexBlock) {
    const std::size_t here = std::min(kIndexBlock, count_ - begin);
    move(rows.slice(begin, here), moved);
    blocks_.emplace_back(transposed(moved.data(), d_), d_, here);
    for (std::size_t i = 0; metric == NearMetric::Squared && i < here; ++i) {
      double norm = 0;
      for (std::size_t j = 0; j < d_; ++j) {
        const auto value = static_cast<double>(moved[i * d_ + j]);
        norm += value * value;
      }
      norms_.push_back(static_cast<float>(norm));
    }
  }
}

// Rows as the metric compares them: moved to the middle, or of length one.
void NeighbourIndex::move(MatrixView X, std::vector<float>& rows) const {
  rows.assign(X.data, X.data + X.rows * d_);
  for (std::size_t i = 0; i < X.rows; ++i) {
    float* row = rows.data() + i * d_;
    if (metric_ == NearMetric::Squared) {
      for (std::size_t j = 0; j < d_; ++j) row[j] -= middle_[j];
    } else if (metric_ == NearMetric::Cosine) {
      double norm = 0;
      for (std::size_t j = 0; j < d_; ++j) norm += static_cast<double>(row[j]) * static_cast<double>(row[j]);
      const auto scale = static_cast<float>(norm > 0 ? 1 / std::sqrt(norm) : 0);
      for (std::size_t j = 0; j < d_; ++j) row[j] *= scale;
    }
  }
}

void NeighbourIndex::find(MatrixView X, std::size_t k, std::uint32_t* nearest) const {
  std::vector<float> rows, products(X.rows * kIndexBlock);
  move(X, rows);
  std::vector<std::vector<Near>> best(X.rows);
  for (auto& heap : best) heap.reserve(k);
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    const std::size_t here = blocks_[block].cols(), first = block * kIndexBlock;
    multiply(row_major(rows.data(), d_), X.rows, blocks_[block], products.data(), kIndexBlock);
    for (std::size_t i = 0; i < X.rows; ++i) {
      std::vector<Near>& heap = best[i];
      float* distance = products.data() + i * kIndexBlock;
      if (metric_ == NearMetric::Squared) {
        for (std::size_t r = 0; r < here; ++r) distance[r] = norms_[first + r] - 2 * distance[r];
      } else {
        for (std::size_t r = 0; r < here; ++r) distance[r] = -distance[r];
      }
      for (std::size_t r = 0; r < here; r += kNearStep) {
        const std::size_t end = std::min(here, r + kNearStep);
        if (heap.size() == k && !any_below(distance + r, end - r, heap.front().distance)) continue;
        for (std::size_t s = r; s < end; ++s)
          keep_near({distance[s], static_cast<std::uint32_t>(first + s)}, k, heap);
      }
    }
  }
  for (std::size_t i = 0; i < X.rows; ++i) {
    std::sort_heap(best[i].begin(), best[i].end());
    for (std::size_t n = 0; n < k; ++n) nearest[i * k + n] = best[i][n].row;
  }
}

}  // namespace millrace::tasks
