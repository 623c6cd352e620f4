#pragma once
// label-apply: rows of a pool with their labels: those that people gave, and those that a model is sure of.
// How sure it must be is chosen on rows whose labels are known: for each class the lowest confidence from
// which on so many of the rows that the model gives that class have it (`target_precision`). Worker thread.
//
// Inputs: `pool` (CSV); `labels`: output manifests of labelling jobs; `model` and `validation` (CSV with the
// label). Settings: `label_column` (label); `attribute` of the manifests (label_column); `target_precision`
// (0.95); `min_rows` (10) of validation that a threshold must rest on; `id_column`, as of label-select.
// Output `labelled`: data.csv, the labelled rows of the pool; _labels.csv: whose label it is (human, machine)
// and how sure; output or folder `open`: data.csv, the rows without a label.

#include <optional>
#include <span>

#include "tasks/labelling/class_scores.h"

namespace millrace::tasks {

struct ClassThreshold {
  double confidence = 0;  // rows at or above it are labelled
  std::size_t rows = 0;   // of validation at or above it
  double precision = 0;   // of these
};
// Of rows that a model gives one class: how confident it is, and whether it is right. Nothing: no threshold
// is good enough.
std::optional<ClassThreshold> choose_class_threshold(std::span<const std::pair<double, bool>> rows,
                                                     double target, std::size_t rows_min);

Status check_label_apply(const ProcessingInputs& inputs);
Result<Json> run_label_apply(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
