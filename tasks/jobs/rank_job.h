#pragma once
// A training job of several instances: its ranks are processes (rank_worker.h), started by ourselves or by a
// command such as mpirun, and watched here: what they say becomes the job's log, progress, metrics,
// checkpoints and model. When one of them is killed or lost all begin again from the last checkpoint, which
// ends in the same bytes; when this process dies they do. Worker thread.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/job_context.h"
#include "tasks/training/train.h"

namespace millrace::tasks {

inline constexpr std::string_view kStopFile = "stop";      // is there: the model so far is enough
inline constexpr std::string_view kModelOfRank = "model";  // name of an object: the model's own bytes
inline constexpr std::string_view kRankJobFile = "job.json";

// What the ranks are told, in a directory that all of them can read.
struct RankJobFile {
  Json request;                   // CreateTrainingJob
  Json record;                    // provenance, or null
  std::filesystem::path objects;  // the root of the object store
  std::uint64_t seed = 0;
  int threads = 1;  // of each rank
  bool model_wanted = false;

  Status write(const std::filesystem::path& directory) const;
  static Result<RankJobFile> read(const std::filesystem::path& directory);
};

// How many ranks the job has; 1 with a line in its log when it asked for more than its algorithm can do, or
// more than can be done here. LimitExceeded: more than RankSettings::most.
Result<int> rank_count(const TrainingSpec& spec, const TrainHooks& hooks, JobContext& context);

// As run_training; LimitExceeded also after too many interruptions.
Result<TrainResult> train_in_ranks(const Json& request, const TrainingSpec& spec, int ranks,
                                   JobContext& context, const TrainHooks& hooks);

}  // namespace millrace::tasks
