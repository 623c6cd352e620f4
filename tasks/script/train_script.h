#pragma once
// Training and processing by a program of the user's: SageMaker's script mode. Worker threads.

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/job_context.h"
#include "tasks/training/train.h"

namespace millrace::tasks {

// Whether a CreateTrainingJob request names a program: the hyperparameter sagemaker_program (with
// sagemaker_submit_directory: s3://… of a directory or a .tar.gz, or a local directory), or
// AlgorithmSpecification.ContainerEntrypoint.
bool names_program(const Json& training_request);
Status check_script_training(const Json& request);
// Runs it and stores what it left in /opt/ml/model and /opt/ml/output/data below S3OutputPath/<job>/output/.
// ModelArtifacts and FinalMetricDataList. A metric's rounds are counted as they come; hooks.stop_early is not
// asked.
Result<Json> run_script_training(const Json& request, JobContext& context, const TrainHooks& hooks = {});

// CreateProcessingJob with AppSpecification.ContainerEntrypoint.
Status check_script_processing(const Json& request);
Result<Json> run_script_processing(const Json& request, JobContext& context);

}  // namespace millrace::tasks
