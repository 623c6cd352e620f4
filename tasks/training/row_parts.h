#pragma once
// The rows of a fit, shared out to threads and ranks in a way that depends on nothing but their number: parts
// of rows one behind another, each with sums of its own, which total() adds up in the order of the parts. So
// the result is the same bytes for any number of threads, and of ranks whose rows are whole parts
// (share_begin). One caller at a time.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <vector>

#include "base/result.h"
#include "tasks/ranks/rank_rows.h"
#include "tasks/trees/team.h"

namespace millrace::tasks {

class RowParts {
 public:
  static constexpr std::size_t kBlockRows = 256;

  // `sums`: how many numbers the caller keeps for each part; there are fewer parts when they are many. With
  // ranks `rows` are this rank's. When not every rank's rows are whole parts, each has parts of its own, and
  // the totals are the same for the same ranks alone.
  RowParts(std::size_t rows, std::size_t sums, int threads, const RankRows* ranks = nullptr)
      : rows_(rows), ranks_(ranks), team_(threads) {
    std::size_t blocks = blocks_of(ranks ? ranks->all : rows);
    std::size_t parts = parts_of(blocks, sums), first = 0, last = parts;
    if (ranks && whole_parts(parts)) {
      first = share_part(ranks->collective.rank()), last = share_part(ranks->collective.rank() + 1);
      first = first * parts / parts_of(blocks, 1), last = last * parts / parts_of(blocks, 1);
    } else if (ranks) {
      blocks = blocks_of(rows), parts = last = parts_of(blocks, sums);
    }
    for (std::size_t part = first; part <= last; ++part)
      begins_.push_back(std::min(rows, (blocks * part / parts - blocks * first / parts) * kBlockRows));
    // Products with many sums take long: fewer blocks, so that stopping is asked about in time.
    const std::size_t most =
        std::clamp<std::size_t>(8 * kSumsMax / std::max<std::size_t>(1, sums), 1, kBlocksAtOnce);
    rows_at_once_ = most * kBlockRows;
  }

  std::size_t parts() const { return begins_.size() - 1; }  // here
  // Calls work(first row, rows, part) for every block of at most kBlockRows rows; the blocks of a part come
  // one after another in their order. Cancelled: `cancelled` is asked now and then, and may be empty.
  template <class Work>
  Status each(const std::function<bool()>& cancelled, Work&& work) {
    std::size_t longest = 0;
    for (std::size_t part = 0; part < parts(); ++part)
      longest = std::max(longest, begins_[part + 1] - begins_[part]);
    for (std::size_t done = 0; done < longest; done += rows_at_once_) {
      if (cancelled && cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
      team_.each(parts(), [&](std::size_t part, int) {
        const std::size_t end = std::min(begins_[part + 1], begins_[part] + done + rows_at_once_);
        for (std::size_t at = begins_[part] + done; at < end; at += kBlockRows)
          work(at, std::min(kBlockRows, end - at), part);
      });
    }
    return {};
  }
  // `size` numbers for each part become their sums over all parts, of all ranks.
  Status total(std::vector<double>& sums, std::size_t size) const {
    const auto add = [&](std::span<double> totals, std::size_t first) {
      for (std::size_t part = first; part < parts(); ++part) {
        for (std::size_t s = 0; s < size; ++s) totals[s] += sums[part * size + s];
      }
    };
    if (!ranks_) {
      add(sums, 1);
      sums.resize(size);
      return {};
    }
    std::vector<double> totals(size);
    MR_DO(ranks_->collective.fold(totals, [&](std::span<double> values) { add(values, 0); }));
    sums = std::move(totals);
    return {};
  }

  // The first row of a rank's share of `rows`, of `rank` == `ranks` the end: whole parts when there are
  // enough.
  static std::size_t share_begin(std::size_t rows, int rank, int ranks) {
    const std::size_t blocks = blocks_of(rows), parts = parts_of(blocks, 1);
    const auto r = static_cast<std::size_t>(rank), n = static_cast<std::size_t>(ranks);
    if (parts < n) return rows * r / n;
    return std::min(rows, blocks * (parts * r / n) / parts * kBlockRows);
  }

 private:
  static constexpr std::size_t kPartsMax = 64, kBlocksAtOnce = 16;
  static constexpr std::size_t kSumsMax = std::size_t{1} << 23;  // numbers in all parts

  static std::size_t blocks_of(std::size_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }
  // Powers of two: where fewer parts begin, more begin too.
  static std::size_t parts_of(std::size_t blocks, std::size_t sums) {
    return std::bit_floor(
        std::max<std::size_t>(1, std::min({kPartsMax, kSumsMax / std::max<std::size_t>(1, sums), blocks})));
  }
  std::size_t share_part(int rank) const {
    const auto n = static_cast<std::size_t>(ranks_->collective.size());
    return parts_of(blocks_of(ranks_->all), 1) * static_cast<std::size_t>(rank) / n;
  }
  // Every rank's rows are some of so many parts.
  bool whole_parts(std::size_t parts) const {
    const std::size_t most = parts_of(blocks_of(ranks_->all), 1);
    if (!ranks_->in_order || most < static_cast<std::size_t>(ranks_->collective.size())) return false;
    for (int rank = 0; rank < ranks_->collective.size(); ++rank) {
      if (share_part(rank) % (most / parts) != 0) return false;
    }
    return true;
  }

  const std::size_t rows_;
  const RankRows* const ranks_;
  std::vector<std::size_t> begins_;  // of parts, and the end
  std::size_t rows_at_once_ = kBlockRows;
  trees::Team team_;
};

}  // namespace millrace::tasks
