#pragma once
// RowScorer: a trained model and the rows it is looked at with, be they raw (as the pipeline takes them) or
// already features (as `prepare` writes them). Immutable once loaded; any thread.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/processing/column_pipeline.h"
#include "tasks/processing/processors.h"
#include "tasks/training/model_artifact.h"

namespace millrace::tasks {

class RowScorer {
 public:
  // `prepared`: the rows hold the model's features, not raw columns. NotFound; DataLoss for files that are no
  // model.
  static Result<RowScorer> load(const ObjectStore& objects, const std::string& uri, bool prepared);

  const std::string& task() const { return task_; }  // "binary", "multiclass", "regression", …
  const TargetInfo& target() const { return target_; }
  // What rows must have, in order: raw columns, or the features when the rows are prepared.
  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<std::string>& features() const { return features_; }
  const Model& model() const { return loaded_->model(); }

  // InvalidArgument names the first column that is missing.
  Status check_columns(const Table& rows) const;
  // The target as numbers (classes as 0, 1, …). InvalidArgument: no such column, a missing cell, an unknown
  // class.
  Result<std::vector<double>> labels(const Table& rows) const;
  // (n, features().size()).
  Result<Matrix> matrix(const Table& rows) const;
  Result<Matrix> predict(const Table& rows) const;
  // The same in steps, so that stopping takes effect within a moment. Cancelled.
  Result<Matrix> predict(const Table& rows, TaskContext& context) const;

 private:
  RowScorer() = default;

  std::shared_ptr<const LoadedModel> loaded_;
  std::shared_ptr<const ColumnPipeline> pipeline_;  // null: rows are features
  std::string task_;
  TargetInfo target_;
  bool class_numbers_ = false;  // prepared rows have class numbers as their target
  std::vector<std::string> columns_, features_;
};

// How to read rows that the model is to be looked at with: with a header, or as SageMaker's algorithms take
// them, where the target stands first and the model's columns behind it (or these alone). InvalidArgument
// when there is no header and the number of cells is neither.
Result<CsvOptions> scored_rows_options(const RowScorer& scorer, const NamedUri& input,
                                       const ObjectStore& objects);

// True when `prepare` left its pipeline beside the rows of this channel: they are features.
bool holds_features(const ObjectStore& objects, const NamedUri& input);

}  // namespace millrace::tasks
