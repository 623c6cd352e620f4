#pragma once
// label-select: which rows of a pool to ask people about: those a model is least sure of, or models disagree
// on, unlike each other. Writes a manifest for a labelling job. Worker thread. Source: Settles, Active
// learning literature survey (2009), sections 3.1 and 3.2; Houlsby et al. 2011 for the committee's measure.
//
// Inputs: `pool` (CSV); `model`, and more named model-…: a committee; `labels`: output manifests of labelling
// jobs, whose rows are left out. Settings: `count` (50); `strategy`: margin (the usual one with a model),
// least_confidence, entropy, committee, random; `diversity` (true); `text_column`: what people are shown,
// else the whole row; `id_column`: what names a row, else its number; `attribute` (label) of `labels`;
// `seed`. Output: ask.manifest.

#include <span>

#include "tasks/labelling/class_scores.h"

namespace millrace::tasks {

enum class AskStrategy { LeastConfidence, Margin, Entropy, Committee, Random };

// How unsure, in [0, 1], from the probabilities of the classes; of a committee, one row of them for each
// member: the information that its members' votes hold about each other (their mean's entropy less their mean
// entropy).
double unsureness(AskStrategy strategy, std::span<const std::span<const float>> members);

// `count` of the rows, those with the highest scores first; with `features` (one row each, of length 1) each
// next one is chosen by its score times its distance from those chosen before. Cost: O(count · rows ·
// features).
std::vector<std::size_t> choose_rows(std::span<const double> scores, const Matrix* features,
                                     std::size_t count);

Status check_label_select(const ProcessingInputs& inputs);
Result<Json> run_label_select(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
