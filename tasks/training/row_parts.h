#pragma once
// The rows of a fit, shared out to threads in a way that depends on nothing but their number: parts, each
// with sums of its own that the caller adds up in the order of the parts. So the result is the same bytes for
// any number of threads. One caller at a time.

#include <algorithm>
#include <cstddef>
#include <functional>

#include "base/result.h"
#include "tasks/trees/team.h"

namespace millrace::tasks {

class RowParts {
 public:
  static constexpr std::size_t kBlockRows = 256;

  // `sums`: how many numbers the caller keeps for each part; there are fewer parts when they are many.
  RowParts(std::size_t rows, std::size_t sums, int threads) : rows_(rows), team_(threads) {
    const std::size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
    parts_ =
        std::max<std::size_t>(1, std::min({kPartsMax, kSumsMax / std::max<std::size_t>(1, sums), blocks}));
    // Products with many sums take long: fewer blocks, so that stopping is asked about in time.
    const std::size_t most =
        std::clamp<std::size_t>(8 * kSumsMax / std::max<std::size_t>(1, sums), 1, kBlocksAtOnce);
    blocks_at_once_ = std::clamp<std::size_t>((blocks + parts_ - 1) / parts_, 1, most);
  }

  std::size_t parts() const { return parts_; }
  // Calls work(first row, rows, part) for every block of at most kBlockRows rows; the blocks of a part come
  // one after another in their order. Cancelled: `cancelled` is asked now and then, and may be empty.
  template <class Work>
  Status each(const std::function<bool()>& cancelled, Work&& work) {
    const std::size_t part_rows = blocks_at_once_ * kBlockRows;
    for (std::size_t first = 0; first < rows_; first += parts_ * part_rows) {
      if (cancelled && cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
      team_.each(parts_, [&](std::size_t part, int) {
        const std::size_t begin = std::min(rows_, first + part * part_rows);
        const std::size_t end = std::min(rows_, begin + part_rows);
        for (std::size_t at = begin; at < end; at += kBlockRows)
          work(at, std::min(kBlockRows, end - at), part);
      });
    }
    return {};
  }

 private:
  static constexpr std::size_t kPartsMax = 64, kBlocksAtOnce = 16;
  static constexpr std::size_t kSumsMax = std::size_t{1} << 23;  // numbers in all parts

  const std::size_t rows_;
  std::size_t parts_ = 1, blocks_at_once_ = 1;
  trees::Team team_;
};

}  // namespace millrace::tasks
