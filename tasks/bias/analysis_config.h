#pragma once
// What SageMaker Clarify's analysis_config.json says about columns and their values, for the processors
// `bias` and `explain`: columns by name or place, values that are categories or a threshold. Any thread.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/processing/channels.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// Rows of a column that have one of some values, or are above a threshold.
struct ChosenRows {
  std::vector<std::uint8_t> chosen;  // one a row
  std::string description;           // "Female", "a, b", "(30, 90]"
};
// A single number chooses what is above it where the column is `continuous`; anything else chooses by
// equality. InvalidArgument: no value is ever there.
Result<ChosenRows> choose_rows(const Column& column, const std::vector<Json>& values,
                               std::string_view setting, bool continuous);
// Numbers with fractions, or of more than two values with at least one distinct in 20 rows (Clarify's rule).
bool is_continuous(const Column& column);
// Every value of a column of categories. LimitExceeded beyond kFacetValuesMax.
Result<std::vector<Json>> values_of(const Column& column);

inline constexpr std::size_t kFacetValuesMax = 100;

// Where the model is that rows are shown to: the input named "model", or the registered model that
// predictor.model_name names, of one container; empty when neither is given. NotFound.
Result<std::string> analysed_model(const ProcessingInputs& inputs, TaskContext& context);
// Whether one of them is given.
bool names_model(const ProcessingInputs& inputs);

// A list, or one value as a list of one; empty when absent.
std::vector<Json> list_of(const Json& settings, std::string_view key);

}  // namespace millrace::tasks
