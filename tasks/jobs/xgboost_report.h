#pragma once
// The page of the rule CreateXgboostReport: how training went, what the model answers on the validation rows
// (or without them on the training rows), which features count, what its trees look like. One HTML file with
// its pictures in it. Deterministic. The training thread, once.

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

struct XgboostReportInput {
  std::string job;
  std::string task;  // "binary", "multiclass", "regression"
  const Model& model;
  const Dataset* train;       // null: a stream
  const Dataset* validation;  // null: none
  std::span<const MetricPoint> course;
  HyperParameters parameters;
};
// InvalidArgument: the model has no trees or weights of xgboost.
Result<std::string> xgboost_report(const XgboostReportInput& input);

}  // namespace millrace::tasks
