#pragma once
// One rank of a training job: a process that reads its share of the rows, trains with the others, and says
// what comes of it on its stdout (tasks/ranks/rank_line.h), the model included: whoever started it writes the
// objects. It holds nothing that would be lost with it, so it may be killed at any time.

#include <filesystem>
#include <optional>

#include "base/result.h"

namespace millrace::tasks {

struct RankPlace {
  std::filesystem::path directory;  // what rank_job.h wrote there
  int rank = 0, ranks = 1;
  bool mpi = false;  // mpirun knows the two numbers
};

// Trains to the end; the errors of training, of which the starter has been told.
Status run_rank(const RankPlace& place);

}  // namespace millrace::tasks
