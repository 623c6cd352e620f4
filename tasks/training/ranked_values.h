#pragma once
// Rows of a fit by their numbers among the rows of all ranks, wherever they are. Alone (`ranks` null) nothing
// is sent. One thread; called by all ranks, in which every rank gets the same.

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/ranks/rank_rows.h"

namespace millrace::tasks {

// The rows of these numbers, in their order: (numbers, X.cols).
Result<Matrix> rows_of_numbers(MatrixView X, std::span<const std::size_t> numbers, const RankRows* ranks);

// A value of each row, in the order of all rows' numbers.
Result<std::vector<double>> values_of_all(std::span<const double> own, const RankRows* ranks);

// Zeros that each rank, in their order, changes by its rows (`change`); alone: `change` of zeros.
Status fold_in_order(const RankRows* ranks, std::span<double> values,
                     const std::function<void(std::span<double>)>& change);

}  // namespace millrace::tasks
