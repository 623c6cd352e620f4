#pragma once
// explain: why a model answers what it does. SHAP values (exact for trees, kernel SHAP for any other model),
// permutation importance, partial dependence.
//
// Inputs: "dataset" (raw rows or rows that `prepare` wrote), "model", and perhaps "baseline" (rows that stand
// for "nothing is known"; without it they are clusters of the dataset). Output: one: analysis.json in
// SageMaker Clarify's shape, explanations_shap/out.csv (a line a row) and baseline.csv, plots, report.html.
// Settings are Clarify's: headers, dataset_type, label_headers, methods {shap {baseline, num_clusters (5),
// num_samples, agg_method (mean_abs), use_logit, save_local_shap_values, seed}, pdp {features,
// grid_resolution (15), top_k_features (10)}} and ours: shap.algorithm (auto, tree, kernel), shap.max_rows,
// pdp.max_rows, permutation {repeats (5), metric, max_rows}. Without methods all three are done; permutation
// needs the target in the data.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_explain(const ProcessingInputs& inputs);
Result<Json> run_explain(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
