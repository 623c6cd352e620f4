#pragma once
// sagemaker-model-monitor-analyzer: one run of a monitoring schedule, under the name of SageMaker's image. It
// reads what an endpoint was asked and answered in a span of time (captured_rows.h), merges the ground truth
// where the analysis needs it, and hands the rows to `monitor`, `bias` or `explain`; what those find is held
// against the baseline.
//
// Inputs: "captured" (where data capture writes), "ground_truth", "constraints", "statistics" (of the
// baseline), "analysis" (analysis_config.json of Clarify). Output: one: rows.csv (what was looked at),
// constraint_violations.json, report.html, and the files of the processor. Settings: analysis_type
// (DATA_QUALITY, MODEL_QUALITY, MODEL_BIAS, MODEL_EXPLAINABILITY), start_time, end_time, problem_type,
// inference_attribute, probability_attribute (a name in the answer or a place from 0),
// probability_threshold_attribute, exclude_features, exclude_variants, headers, monitoring_config,
// positive_label, model_name, schedule, rows_max, settle_seconds, bootstrap. Worker thread. Source: SageMaker
// developer guide, "Container contract inputs".

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_analyzer(const ProcessingInputs& inputs);
// The summary has violation_count and violations, and by what is checked distances, metrics or ndcg.
Result<Json> run_analyzer(const ProcessingInputs& inputs, TaskContext& context);

// The kind of the records that say what earlier runs found (tasks/monitoring/executions.h), and the note with
// their distances.
inline constexpr std::string_view kMonitoringExecutionRecord = "MonitoringExecution";
inline constexpr const char* kDistancesNote = "Distances";

}  // namespace millrace::tasks
