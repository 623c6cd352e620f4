#pragma once
// Hosts as the ranks of one mpirun (Open MPI), SageMaker's sagemaker_mpi_enabled: every host's part of the
// command line is a program of its own, in its own /opt/ml. Worker threads.

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/jobs/job_context.h"

namespace millrace::tasks {

struct Host;

struct MpiPlan {
  bool enabled = false;
  int processes_per_host = 1;
  std::vector<std::string> options;  // of mpirun, besides ours
};
// sagemaker_mpi_enabled, sagemaker_mpi_num_of_processes_per_host, sagemaker_mpi_custom_mpi_options, as plain
// texts. InvalidArgument.
Result<MpiPlan> read_mpi(const std::map<std::string, std::string>& hyperparameters);
// As run_script. InvalidArgument when there is no mpirun.
Status run_mpi(std::vector<Host>& hosts, const MpiPlan& plan, JobContext& context);

}  // namespace millrace::tasks
