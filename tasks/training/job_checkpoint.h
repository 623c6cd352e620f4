#pragma once
// JobCheckpoint: what a training job had reached, in an object below CheckpointConfig.S3Uri. It names the
// data and settings it belongs to: a job of the same name with others begins anew instead of going on from
// what is not its own. One thread.

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/training/estimator.h"
#include "tasks/training/training_spec.h"

namespace millrace::tasks {

class JobCheckpoint {
 public:
  // `data`: what tells these data from others, like their hashes. Nothing is read or written when the job has
  // no CheckpointConfig, or an algorithm that keeps no checkpoints, which then says so in the log.
  // `write` (may be empty) takes the place of the object store's.
  using Write = std::function<Status(const std::string& uri, std::string_view bytes)>;
  JobCheckpoint(const TrainingSpec& spec, std::string_view data, TaskContext& context, Write write = {});

  // Reads what is there and gives it to the fit, with where the next ones go. DataLoss names the object when
  // it is damaged. `fit` must not outlive this.
  Status attach(FitContext& fit);
  // How writing went: the errors of ObjectStore::write.
  Status written() const { return written_; }

 private:
  const TrainingSpec& spec_;
  TaskContext& context_;
  const Write write_;
  std::string belongs_to_;  // hash of data and settings
  std::string resumed_;
  Millis last_{};
  Status written_;
};

}  // namespace millrace::tasks
