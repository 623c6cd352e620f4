#pragma once
// The work of an AutoML job: looks at the data, prepares it, trains candidates, puts the best of them
// together. All that it runs are jobs with records of their own (AutoMLJobArn says whose): <job>-split,
// <job>-prepare, <job>-c01, … and <job>-ensemble or <job>-final, one at a time, each with all threads. After
// a restart those that ended are taken from their records. Worker thread.

#include "tasks/automl/automl_spec.h"
#include "tasks/jobs/job_context.h"

namespace millrace::tasks {

// `created_ms`: of the job, from which MaxAutoMLJobRuntimeInSeconds counts. The fields that
// DescribeAutoMLJobV2 shows of it. InvalidArgument: data that nothing can be learnt from, no candidate that
// completed; Cancelled.
Result<Json> run_automl(const AutoMLSpec& spec, JobContext& context, std::int64_t created_ms);

}  // namespace millrace::tasks
