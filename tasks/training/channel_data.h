#pragma once
// A training channel as a Dataset.
//
// With a header, columns go by name: the target is the column that the job names, else the first one; a
// weight column when named; the rest are features in their order. Without one, SageMaker's rule holds: target
// first, then (with csv_weights=1) the weight, then features, which are called f0, f1, … . Unless the content
// type says, a first line in which no cell is a number is a header. With an algorithm that needs no target
// the first column is one only when the content type says label_size=1 (of randomcutforest's channel `test`:
// unless it says 0) or the job names it, where it is there; it is no feature then. A target of texts is
// numbered by the sorted classes of the train channel. What text/libsvm does not say is missing, or 0 for an
// algorithm that takes no missing values; labels of RecordIO that an algorithm has no use for are left.
// Features must be numbers. Any thread.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/training/training_spec.h"

namespace millrace::tasks {

struct ChannelData {
  Dataset data;
  std::vector<std::string> classes;  // the texts behind targets 0, 1, …; empty when the target is numbers
  std::string sha256;                // of the objects' bytes in the order of their keys
};

// What the columns of a channel are.
struct ChannelColumns {
  bool header = false;
  std::vector<std::string> names;
  std::string target, weight, group;  // names; empty: none
};
Result<ChannelColumns> read_columns(const ObjectStore& objects, const TrainingSpec& spec,
                                    const TrainingChannel& channel);

// A rank's rows of a channel of numbers; nothing when some cell of them is none. DataLoss when the channel
// has not as many rows as `rows` says.
Result<std::optional<ChannelData>> read_number_rows(const ObjectStore& objects, const TrainingSpec& spec,
                                                    const TrainingChannel& channel, const RankRows& rows,
                                                    const std::function<bool()>& cancelled);

// The channel's data. `like`: the train channel, for the others, whose columns and classes must be the same.
// Errors name channel, row and column: InvalidArgument, NotFound, those of reading CSV; Cancelled.
Result<ChannelData> read_channel(const ObjectStore& objects, const TrainingSpec& spec,
                                 const TrainingChannel& channel, const ChannelData* like,
                                 const std::function<bool()>& cancelled);

}  // namespace millrace::tasks
