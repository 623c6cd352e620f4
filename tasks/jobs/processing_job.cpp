// ProcessingJob: a built-in processor, or a program of the user's.

#include "tasks/jobs/job_context.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/script/train_script.h"

namespace millrace::tasks {
namespace {

Status check(const Json& request, TaskContext&) {
  return check_script_processing(request);
}

Result<Json> work(const Json& request, JobContext& context) {
  return run_script_processing(request, context);
}

}  // namespace

const JobKind kProcessingJobKind{kProcessingJob, check, work};

}  // namespace millrace::tasks
