#pragma once
// A rank's share of the channel `train`: which rows it has, and reading them. FullyReplicated: rows one
// behind another, each row in one rank, as even as blocks of a fit are (row_parts.h); ShardedByS3Key: every
// N-th object.
//
// CSV below a prefix is counted first (the ranks share that out, too), then each rank keeps its rows alone:
// the memory of a rank is that of its share. Other forms, and tables with texts, are read whole by every
// rank, which then keeps its share. One thread.

#include <functional>

#include "base/result.h"
#include "tasks/ranks/rank_rows.h"
#include "tasks/training/channel_data.h"

namespace millrace::tasks {

struct SharedChannel {
  ChannelData channel;  // the rank's rows; sha256 of the whole channel at rank 0
  RankRows rows;
};

// What read_channel says; InvalidArgument also when there are fewer objects or rows than ranks. Called by all
// ranks; an error of one is that of the others, too, which call it lost.
Result<SharedChannel> read_share(const ObjectStore& objects, const TrainingSpec& spec,
                                 const TrainingChannel& channel, Collective& collective,
                                 const std::function<bool()>& cancelled);

}  // namespace millrace::tasks
