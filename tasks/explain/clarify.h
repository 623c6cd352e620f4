#pragma once
// sagemaker-clarify-processing: the image of SageMaker Clarify under its own name, so that a job written for
// it runs here: `bias` and `explain` by what `methods` asks for, in one analysis.json. The model is that of
// predictor.model_name, or an input named "model". report.html is that of the explanations; with both,
// bias_report.html is the other.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_clarify(const ProcessingInputs& inputs);
Result<Json> run_clarify(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
