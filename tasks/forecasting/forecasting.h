#pragma once
// forecasting: many series at once, each by a blend of methods that its own past has weighed (blend.h). Data,
// requests and answers have the form of SageMaker's DeepAR, or are CSV rows as Amazon Forecast takes and
// exports them (series.h). A fit with a channel `test` reports test:… of the last horizon of its series,
// forecast from what is before; validation:… is of the last windows of the train channel. sMAPE is in per
// cent, the other relative metrics are shares.
//
//   request  {"instances": [{"start": "2009-11-01", "target": [4, 10, …]}, {"item_id": "A"}],
//             "configuration": {"num_samples": 50, "output_types": ["mean", "quantiles", "samples"],
//                               "quantiles": ["0.1", "0.9"]}}
//   answer   {"predictions": [{"mean": […], "quantiles": {"0.1": […], "0.9": […]}, "samples": [[…], …]}]}
// An instance without target is an item of the training data. Rows of CSV are answered by rows
// item_id,timestamp,mean,p10,p50,p90. Source: DeepAR developer guide, inference formats.

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

std::span<const HyperParameterRule> forecasting_rules();
std::span<const std::string_view> forecasting_metrics();
const OwnForm& forecasting_form();
Result<std::unique_ptr<const Model>> load_forecasting(std::string_view bytes);

}  // namespace millrace::tasks
