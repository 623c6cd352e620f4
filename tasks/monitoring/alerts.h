#pragma once
// Monitoring alerts: each schedule has one, "violations": InAlert while at least DatapointsToAlert of the
// last EvaluationPeriod runs that could be judged found violations. How it stands and stood follows from the
// executions' records, so there is nothing to keep but the two numbers. Worker threads. Source: SageMaker API
// reference, ListMonitoringAlerts and those around it.

#include <span>
#include <vector>

#include "base/time.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

inline constexpr const char* kMonitoringAlertName = "violations";
inline constexpr std::int64_t kAlertPeriodMax = 100;

// A run that could be judged, and when it ended.
struct AlertDatapoint {
  Instant time;
  bool violated = false;
};
struct AlertChange {
  Instant time;
  bool in_alert = false;
};
// The changes of state over the datapoints, oldest first; before the first one it is OK.
std::vector<AlertChange> alert_changes(std::span<const AlertDatapoint> datapoints, std::size_t to_alert,
                                       std::size_t period);

Outcome list_monitoring_alerts(TaskCall& call);
Outcome list_monitoring_alert_history(TaskCall& call);
Outcome update_monitoring_alert(TaskCall& call);

}  // namespace millrace::tasks
