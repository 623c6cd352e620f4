#pragma once
// monitor: SageMaker Model Monitor's two jobs, for data and for the quality of a model.
//
// Baseline: input "dataset" alone → statistics.json, constraints.json, report.html.
// Check: inputs "dataset" and "baseline" (where a baseline job wrote; or "constraints" and "statistics", one
// object each) → statistics.json, constraint_violations.json, drift.json (every distance of every feature),
// report.html. A violation does not fail the job: the summary has their number, for a Choice state.
// Quality: with the setting problem_type (BinaryClassification, MulticlassClassification, Regression) both
// are about metrics: the dataset has ground_truth_attribute and inference_attribute (a class or a number) or
// probability_attribute with probability_threshold_attribute (0.5); or there is an input "model", and the
// rows are scored. Settings: monitoring_config (members win over those of constraints.json), headers,
// dataset_type, bootstrap, seed, positive_label, exclude_features (columns that are not looked at), history
// ([{time, distances}] of earlier checks, for the report). One pass in bounded memory over data; quality
// keeps labels and predictions.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_monitor(const ProcessingInputs& inputs);
Result<Json> run_monitor(const ProcessingInputs& inputs, TaskContext& context);

// The part for quality; run_monitor calls it.
Result<Json> run_quality_monitor(const ProcessingInputs& inputs, TaskContext& context);
// What `evaluate` calls the task of a problem_type. InvalidArgument.
Result<std::string> task_of_problem(const Json& settings);
// constraints.json, statistics.json, … of the inputs; null when there is none of the name.
Result<Json> baseline_file(const ProcessingInputs& inputs, std::string_view input, std::string_view file,
                           const ObjectStore& objects);

}  // namespace millrace::tasks
