#pragma once
// Metrics by groups of rows: each category of a column, or each quarter of its numbers. Where a model is good
// on the whole and bad for some shows here. Any thread.

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

inline constexpr std::size_t kSliceValuesMax = 50;  // the most frequent categories; the others are one slice

struct RowSlice {
  std::string name;                 // "Rome", "[3, 7)", "(missing)", "(other)"
  std::vector<std::uint32_t> rows;  // ascending
};
std::vector<RowSlice> slices_of(const Column& column);

// {"Rome": {"rows": 120, "auc": 0.9, …}, …}: no intervals.
Json slice_metrics(std::span<const RowSlice> slices, std::span<const double> labels, MatrixView predictions,
                   const EvaluationSettings& settings);

}  // namespace millrace::tasks
