#pragma once
// The kinds of jobs; each is a file of this name in jobs/ or deployment/.

#include "tasks/jobs/job_life.h"

namespace millrace::tasks {

extern const JobKind kTrainingJobKind;
extern const JobKind kProcessingJobKind;
extern const JobKind kTransformJobKind;
extern const JobKind kTuningJobKind;

}  // namespace millrace::tasks
