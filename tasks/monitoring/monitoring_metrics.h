#pragma once
// What a monitoring run measured, as metrics with CloudWatch's names for it:
// aws/sagemaker/Endpoints/data-metrics and so on, by Endpoint and MonitoringSchedule. Pure. Source: SageMaker
// developer guide, "CloudWatch Metrics".

#include <vector>

#include "base/json.h"
#include "tasks/monitoring/schedules.h"

namespace millrace::tasks {

// Of the request of an execution's processing job and the summary of what it found (Summary.metrics: a list
// of
// {"name", "value", "dimensions"}); empty for any other job.
std::vector<MonitoringMetric> monitoring_metrics(const Json& job_request, const Json& summary, Instant now);

}  // namespace millrace::tasks
