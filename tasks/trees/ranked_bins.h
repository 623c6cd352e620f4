#pragma once
// Bins of the rows of several ranks: the cuts of all rows, which every rank finds in the same sample, and
// this rank's rows in them. The same cuts as of all rows in one process.

#include <memory>
#include <span>

#include "base/result.h"
#include "tasks/ranks/rank_rows.h"
#include "tasks/trees/bins.h"

namespace millrace::tasks::trees {

// X and weights (empty everywhere, or nowhere): this rank's rows. The collective's errors.
Result<std::unique_ptr<Bins>> bins_of_ranks(MatrixView X, std::span<const float> weights,
                                            std::uint32_t max_bin, const RankRows& ranks, Team& team);

}  // namespace millrace::tasks::trees
