#pragma once
// bias: SageMaker Clarify's metrics of bias in data and in a model's predictions.
//
// Inputs: "dataset" (CSV), and for the metrics after training either "model" (a training job's
// S3ModelArtifacts, applied to the rows) or a column of the dataset with predictions. Output: one:
// analysis.json in Clarify's shape and report.html. Settings are those of Clarify's analysis_config.json
// (also as an input of that name): label, label_values_or_threshold, facet [{name_or_index,
// value_or_threshold}], group_variable, predicted_label, probability_threshold (0.5), headers, dataset_type,
// methods {pre_training_bias {methods}, post_training_bias {methods}}; `excluded_columns` are not looked at
// by the flip test; with `bootstrap` samples each metric but FT gets the ends of its 95 % interval, "lower"
// and "upper". Rows without label or facet are left out. What belongs to the container alone (version,
// predictor, report, shap, pdp) is passed over.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_bias(const ProcessingInputs& inputs);
Result<Json> run_bias(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
