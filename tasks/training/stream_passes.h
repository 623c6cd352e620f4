#pragma once
// Passes over a stream for algorithms that need more than one. Rows come block by block as data sets, which
// the first pass checks like a channel in memory. One thread.

#include <cstdint>
#include <utility>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/row_stream.h"

namespace millrace::tasks {

class StreamPasses {
 public:
  StreamPasses(RowStream& stream, const DataNeeds& needs) : stream_(stream), needs_(needs) {}

  // work(rows) -> Status, for the blocks of a pass. InvalidArgument when there are no rows, or in the first
  // pass when they are not as the algorithm needs them; the stream's errors; those of `work`.
  template <class Work>
  Status each(Work&& work) {
    if (passes_ > 0) MR_DO(stream_.rewind());
    std::int64_t rows = 0;
    Dataset data = stream_.head();
    for (RowBlock block;;) {
      MR_TRY(more, stream_.next(block));
      if (!more) break;
      std::swap(data.X, block.X), std::swap(data.y, block.y), std::swap(data.weights, block.weights);
      std::swap(data.groups, block.groups);
      if (needs_.target == TargetUse::None) data.y.clear();
      data.first_row = block.first_row;
      std::swap(data.sources, block.sources);
      if (passes_ == 0) MR_DO(check_dataset("train", data, needs_));
      rows += static_cast<std::int64_t>(data.X.rows);
      MR_DO(work(std::as_const(data)));
    }
    if (rows == 0) return invalid("train: there are no rows");
    if (passes_++ > 0 && rows != rows_) return invalid("train: the rows of the first pass are gone");
    rows_ = rows;
    return {};
  }
  std::int64_t rows() const { return rows_; }  // of a pass, when one has ended

 private:
  RowStream& stream_;
  const DataNeeds needs_;
  std::int64_t passes_ = 0, rows_ = 0;
};

}  // namespace millrace::tasks
