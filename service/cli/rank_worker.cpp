// `millrace rank-worker`: one rank of a training job. Not for people: jobs start it (tasks/jobs/rank_job.h).

#include <CLI/CLI.hpp>

#include "service/cli/command.h"
#include "tasks/jobs/rank_worker.h"

namespace millrace::cli {

void add_rank_worker(CLI::App& app, const Shared&, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("rank-worker", "One rank of a training job; jobs start it themselves");
  command->group("");  // not among those of --help
  struct Place {
    std::string directory;
    int rank = 0, ranks = 1;
    bool mpi = false;
  };
  auto place = std::make_shared<Place>();
  command->add_option("directory", place->directory, "with the job's description")->required();
  command->add_option("--rank", place->rank, "which one, from 0");
  command->add_option("--ranks", place->ranks, "of how many");
  command->add_flag("--mpi", place->mpi, "mpirun started it and knows both");
  command->callback([place, &exit_code] {
    const Status done = tasks::run_rank({place->directory, place->rank, place->ranks, place->mpi});
    exit_code = done ? kSucceeded : kWorkflowFailed;  // why was said on stdout
  });
}

}  // namespace millrace::cli
