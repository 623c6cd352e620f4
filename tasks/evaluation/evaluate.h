#pragma once
// evaluate: how good a model is on rows it has not seen. Writes evaluation.json in the shape of SageMaker's
// model quality reports, e.g. {"binary_classification_metrics": {"auc": {"value": 0.92, "standard_deviation":
// 0.003}, …}}, which a Choice state or a model package reads, and plots (SVG) beside it.
//
// Inputs: "test" (raw rows, or rows that `prepare` wrote, with _pipeline.json beside), "model" (the
// training job's S3ModelArtifacts), and perhaps "champion", a second model to compare with, and "validation",
// rows to choose a threshold on. Output: one, by any name. Settings: threshold (0.5, binary), bootstrap (200
// samples, for standard deviations and intervals; 0 for none), seed; choose_threshold {by: f1, cost,
// precision or recall; target; false_positive_cost, false_negative_cost}, on the validation rows where there
// are some; slices (columns: metrics for each of their values); quantile (regression: the loss of a quantile
// model); group and k (rows of one value of a column are ranked: ndcg, map). Clusters: without a model,
// cluster_column says which column of "test" numbers the clusters, `columns` which ones were clustered
// (default: all others of numbers).

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tasks/evaluation/metrics.h"
#include "tasks/processing/processors.h"

namespace millrace::tasks {

struct EvaluationSettings {
  std::string task;                  // "binary", "multiclass", "regression"
  std::vector<std::string> classes;  // names of 0, 1, …; may be empty
  double threshold = 0.5;
  double quantile = 0;  // regression: quantile_loss at this level; 0: none
  std::uint64_t samples = 200, seed = 0;
  std::function<bool()> cancelled = {};
};
struct Evaluation {
  Json report;                               // evaluation.json
  std::map<std::string, std::string> plots;  // SVG by name: "roc.svg"
};
// The metrics of the task, once.
MetricValues task_metrics(std::span<const double> labels, MatrixView predictions,
                          const EvaluationSettings& settings);
// labels (n,), predictions as Model::predict gives them: (n, 1) or (n, k). InvalidArgument when they do not
// fit the task or each other; Cancelled.
Result<Evaluation> evaluate(std::span<const double> labels, MatrixView predictions,
                            const EvaluationSettings& settings);
// Each metric's challenger - champion on the same rows, with the middle 95 % of the same bootstrap samples.
Result<Json> compare(std::span<const double> labels, MatrixView challenger, MatrixView champion,
                     const EvaluationSettings& settings);

// Two classes: the ROC and the precision-recall curve with those of the champion.
void draw_beside_champion(std::span<const double> labels, MatrixView challenger, MatrixView champion,
                          Evaluation& out);

Status check_evaluate(const ProcessingInputs& inputs);
Result<Json> run_evaluate(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
