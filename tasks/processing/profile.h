#pragma once
// profile: what is in a channel, column by column, in one pass and bounded memory: types, missing cells,
// distinct and frequent values, moments, quantiles, histograms.
//
// Input: "dataset" (or the only one). Output: one: profile.json, schema.json (name, type and what is allowed
// for each column) and report.html. Settings: headers (names for files without a header), dataset_type.
// Quantiles and distinct counts are exact for small columns and say so when they are estimates (sketches.h).

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_profile(const ProcessingInputs& inputs);
Result<Json> run_profile(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
