#pragma once
// split: cuts the rows of a channel into parts, so that what a model is judged by was not seen in training.
//
// Settings: method "random" (default), "ordered" (by `column`, oldest rows train), "stratified" (each value
// of `column` has the same share of every part), "key" (all rows of one value of `column` are in one part);
// `train`, `validation`, `test`: fractions if none is above 1, else counts of rows (default 0.7, 0.15, 0.15;
// what is left over is in no part); `seed` (default: the job's). Equal seed, settings and data give equal
// parts. Inputs: any number of channels, read one behind the other. Output: one per part, or one for all;
// data.csv in each.

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/processing/processors.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

struct SplitSettings {
  enum class Method { Random, Ordered, Stratified, Key };
  struct Part {
    std::string name;
    double size = 0;  // a fraction of the rows, or a count when `counts`
  };
  Method method = Method::Random;
  std::string column;  // unless Random
  std::vector<Part> parts;
  bool counts = false;
  std::uint64_t seed = 0;
};

// InvalidArgument names the setting. `seed` is used when the settings have none.
Result<SplitSettings> read_split_settings(const Json& settings, std::uint64_t seed);

// Row numbers of each part, ascending (Ordered: in the order of the column; equal values in the order of the
// rows). No row is in two parts. Sizes are exact to the row, by key as near as whole groups allow.
// InvalidArgument: no such column, a missing cell in it, more rows asked for than there are, a part without
// rows. Cost: O(n log n) ordered, else O(n).
Result<std::vector<std::vector<std::uint32_t>>> split_rows(const Table& table, const SplitSettings& settings);

Status check_split(const ProcessingInputs& inputs);
Result<Json> run_split(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
