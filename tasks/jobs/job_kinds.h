#pragma once
// The kinds of jobs; each is a file of this name in jobs/ or deployment/.

#include "tasks/jobs/job_life.h"
#include "tasks/training/train.h"

namespace millrace::tasks {

extern const JobKind kTrainingJobKind;
extern const JobKind kProcessingJobKind;
extern const JobKind kTransformJobKind;
extern const JobKind kTuningJobKind;
extern const JobKind kAutoMLJobKind;

Outcome list_training_jobs_of_tuning_job(TaskCall& call);
Outcome list_candidates_for_automl_job(TaskCall& call);

// The check and the work of a training job; tuning adds its hooks.
Status check_training(const Json& request, TaskContext& context);
Result<Json> train_in_job(const Json& request, JobContext& context, const TrainHooks& hooks);

}  // namespace millrace::tasks
