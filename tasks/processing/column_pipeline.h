#pragma once
// ColumnPipeline: the FittedPipeline that `prepare` makes: the raw columns and types training had, the fitted
// steps in order, and how the target becomes numbers. Immutable; any thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tasks/processing/pipeline.h"
#include "tasks/processing/steps.h"

namespace millrace::tasks {

struct TargetInfo {
  std::string name;                  // empty: no target
  std::vector<std::string> classes;  // what 0, 1, … stand for; empty: the target is a number
};

class ColumnPipeline final : public FittedPipeline {
 public:
  struct Input {
    std::string name;
    Column::Type type = Column::Type::Number;
  };

  ColumnPipeline(std::vector<Input> inputs, std::vector<FittedStep> steps, TargetInfo target,
                 std::vector<std::string> features);

  const std::vector<std::string>& input_columns() const override { return input_names_; }
  const std::vector<std::string>& feature_names() const override { return features_; }
  Result<Matrix> apply(const Table& rows) const override;
  Json save() const override;
  static Result<std::unique_ptr<const ColumnPipeline>> load(const Json& saved);

  // Features as a table, doubles: apply() is this, rounded to float.
  Result<Table> apply_to_table(const Table& rows) const;
  const TargetInfo& target() const { return target_; }
  // The target of raw rows as numbers. InvalidArgument names the row that has none, or an unknown class.
  Result<std::vector<double>> read_target(const Table& rows) const;

 private:
  std::vector<Input> inputs_;
  std::vector<std::string> input_names_;
  std::vector<FittedStep> steps_;
  TargetInfo target_;
  std::vector<std::string> features_;
};

// The target of raw rows as numbers, see ColumnPipeline::read_target.
Result<std::vector<double>> read_target(const TargetInfo& target, const Table& rows);

struct FittedTable {
  std::shared_ptr<const ColumnPipeline> pipeline;
  Table training;  // target first, then features; target encoding out of fold
};

// Fits a pipeline to the training rows. Settings: see prepare.h. InvalidArgument names setting, step or
// column; Cancelled when `cancelled` says so between steps. Equal rows, settings and seed give an equal
// pipeline.
Result<FittedTable> fit_pipeline(const Table& training, const Json& settings, std::uint64_t seed,
                                 const std::function<bool()>& cancelled = {});

}  // namespace millrace::tasks
