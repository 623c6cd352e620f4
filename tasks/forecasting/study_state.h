#pragma once
// What validation found out about the first series, as the fields of a checkpoint: a fit that goes on from it
// need not study them again. At most kStudyNumbersMax numbers are kept; of more series the first ones that
// fit are, and the others are studied anew, with the same end. One thread.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/forecasting/blend.h"
#include "tasks/training/fit_state.h"

namespace millrace::tasks {

class StudyState {
 public:
  static constexpr std::size_t kStudyNumbersMax = 8'000'000;  // 64 MB

  // Adds to what was packed before: `studies` are those and more behind them.
  void pack(std::span<const SeriesStudy> studies);
  std::size_t studied() const { return static_cast<std::size_t>(studied_); }
  void fields(FitState& state) { state.field(studied_), state.field(numbers_); }
  // Into the first of `studies`. DataLoss when the numbers are not those of so many studies.
  Status unpack(std::span<SeriesStudy> studies) const;

 private:
  std::int64_t studied_ = 0;
  std::vector<double> numbers_;
};

}  // namespace millrace::tasks
