#pragma once
// Pipeline: the preparation that `prepare` fitted on the training channel: raw columns in, numeric features
// out. Saved as `_pipeline.json` beside the prepared data, carried inside the model's artifact, applied again
// at inference: no training/serving skew by construction.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

class FittedPipeline {
 public:
  virtual ~FittedPipeline() = default;
  virtual const std::vector<std::string>& input_columns()
      const = 0;  // raw columns it needs, in their order, target left out
  virtual const std::vector<std::string>& feature_names() const = 0;  // what comes out, in order
  // Rows of raw columns (by name; extra columns are ignored) to features (n, feature_names().size()).
  // InvalidArgument names the missing column, or row and column of a cell that can't be read.
  virtual Result<Matrix> apply(const Table& rows) const = 0;
  virtual Json save() const = 0;
};
Result<std::unique_ptr<const FittedPipeline>> load_pipeline(const Json& saved);

}  // namespace millrace::tasks
