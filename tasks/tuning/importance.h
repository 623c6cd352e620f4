#pragma once
// Which hyperparameters mattered: functional analysis of variance over a small forest that is fitted to what
// the trials came to. Of each hyperparameter the share of the variance over the whole space that it explains
// by itself, averaged over the others; what is left belongs to hyperparameters together (and to noise).
// Exact for each tree, since its leaves are boxes. Losses in the worst tenth count as the best of that tenth,
// so that one disaster does not hide everything else; a hyperparameter that is not there counts as the mean
// of those that are. Source: Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing
// Hyperparameter Importance (2014). Pure.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/tuning/space.h"
#include "tasks/tuning/tpe.h"

namespace millrace::tasks {

inline constexpr std::size_t kImportanceTrialsMin = 10;

// A share in [0, 1] for each range of the space, together at most 1. Empty with fewer observations than
// kImportanceTrialsMin, and when all losses are equal.
std::vector<double> parameter_importance(const SearchSpace& space, std::span<const Observation> observations,
                                         std::uint64_t seed);

}  // namespace millrace::tasks
