#pragma once
// The three inner loops of growing a tree, over the rows of one node. A row's gradient and hessian are whole
// numbers in one word, gradient * 2^32 + hessian: sums of words are sums of both, exact and the same in any
// order, so threads and shards cannot change a model.

#include <cstddef>
#include <cstdint>

#include "tasks/trees/bins.h"

namespace millrace::tasks::trees {

using Sum = std::int64_t;

inline std::int32_t gradient_of(Sum sum) {
  return static_cast<std::int32_t>(sum >> 32);
}
inline std::uint32_t hessian_of(Sum sum) {
  return static_cast<std::uint32_t>(sum);
}

// Adds the rows' words to the histogram (bins.histogram_size() entries), columns [0, columns) of the list.
// `rows` null: the rows first, first + 1, ….
void add_rows(const Bins& bins, const Sum* words, const std::uint32_t* rows, std::size_t first,
              std::size_t count, const std::uint32_t* columns, std::size_t column_count, Sum* histogram);

// Which bins of a column go left.
struct Route {
  std::uint32_t column = 0;
  std::uint8_t left[kColumnBins] = {};  // of a column of bytes: 1 or 0
  std::uint32_t last = 0, missing = 0;  // of a column of words: bins <= last, and the missing one when
  bool missing_left = false;            //   missing_left
};

// Moves the rows that go left to the front of `rows`, the others to the front of `right` (room for count +
// 16), in their order. Returns how many went left.
std::size_t split_rows(const Bins& bins, const Route& route, std::uint32_t* rows, std::size_t count,
                       std::uint32_t* right);

// Adds left_value or right_value to the scores of the rows.
void add_split(const Bins& bins, const Route& route, const std::uint32_t* rows, std::size_t count,
               float left_value, float right_value, float* scores);

}  // namespace millrace::tasks::trees
