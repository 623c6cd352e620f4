#pragma once
// RankRows: which rows of a channel a rank has. Rows keep the numbers they have among the rows of all ranks:
// what depends on a row's number is then the same wherever the row is.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tasks/ranks/collective.h"

namespace millrace::tasks {

// Rows [local, local + count) of the rank, which are the rows from `number` on.
struct RowStretch {
  std::size_t local = 0, count = 0, number = 0;
};

struct RankRows {
  Collective& collective;
  std::size_t all = 0;               // rows of all ranks
  std::vector<RowStretch> own = {};  // ascending in both; the rank's rows without gaps
  // The stretches lie one behind another from rank to rank: the first rank has the first rows.
  bool in_order = true;

  std::size_t count() const { return own.empty() ? 0 : own.back().local + own.back().count; }
  // work(local, count, number) for the stretches of the rank's rows [begin, end).
  template <class Work>
  void each(std::size_t begin, std::size_t end, Work&& work) const {
    auto at = std::upper_bound(own.begin(), own.end(), begin,
                               [](std::size_t row, const RowStretch& s) { return row < s.local + s.count; });
    for (; at != own.end() && at->local < end; ++at) {
      const std::size_t first = std::max(begin, at->local), last = std::min(end, at->local + at->count);
      work(first, last - first, at->number + (first - at->local));
    }
  }
  // Where row `number` stands here; npos: elsewhere.
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  std::size_t find(std::size_t number) const {
    const auto at =
        std::upper_bound(own.begin(), own.end(), number,
                         [](std::size_t row, const RowStretch& s) { return row < s.number + s.count; });
    return at == own.end() || number < at->number ? npos : at->local + (number - at->number);
  }
};

}  // namespace millrace::tasks
