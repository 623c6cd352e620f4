#pragma once
// prepare: fits a list of steps to the training channel and applies them to every channel.
//
// Inputs: "train" (required) and any others, e.g. "validation", "test". Outputs: one named like each input,
// or a single one with all below it. Each gets data.csv (header, target first, then the features, all
// numbers) and _pipeline.json, which training puts into the model's artifact so that inference prepares rows
// in the same way. Settings: `target` (column to predict; text becomes class numbers in sorted order),
// `target_type` (auto, or classes: numbers are classes too, in their order), `positive` (which of two classes
// is 1), `seed`, `steps`: [{"step": "impute", "columns": ["age"],
// "strategy": "median"}, …], see step_kinds(). Without `steps`, text columns are one-hot encoded and numbers
// stay as they are. `filter` (a SQL condition on raw rows, or {where, channels}) leaves rows out, `balance`
// (over, under, weights) evens out the classes of the training rows after the steps were fitted. Only the
// training channel is learned from.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_prepare(const ProcessingInputs& inputs);
Result<Json> run_prepare(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
