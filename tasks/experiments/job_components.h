#pragma once
// Jobs as trial components: a job with an ExperimentConfig has one, NAME-aws-training-job and the like, with
// its parameters, artifacts and final metrics, in the trial that the configuration names. Any thread.

#include <cstdint>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

// NotFound when the request's ExperimentConfig names an experiment or a trial that does not exist, or one
// that belongs to another experiment (InvalidArgument).
Status check_experiment_config(const Jobs& jobs, const Json& request);

// The same for jobs of workflows: what does not exist is made, so that a definition runs as it stands.
// `now_ms`: their time of creation.
Status ensure_experiment_config(Jobs& jobs, const Json& request, std::int64_t now_ms);

// Brings the component of a job to what the job's change says; nothing for other records. May be repeated.
Status keep_job_component(Jobs& jobs, const Jobs::Change& change);

// How the metrics of the training job behind a component went, by name: {"Stride", "Values", "Count", "Min",
// "Max", "Avg", "StdDev"}; an empty object when there is no such job.
Json job_course(const Jobs& jobs, const Json& component);

}  // namespace millrace::tasks
