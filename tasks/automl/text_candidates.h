#pragma once
// The candidates of an AutoML job over texts: first a list that is known to do well together, then variations
// of it by chance. Pure.

#include <cstdint>

#include "tasks/training/ensemble/ensemble.h"

namespace millrace::tasks {

inline constexpr std::int64_t kTextCandidatesDefault = 5;

// The member of this number, from 0: the same for the same arguments.
EnsembleMember text_candidate(std::size_t number, std::size_t classes, std::uint64_t seed);

}  // namespace millrace::tasks
