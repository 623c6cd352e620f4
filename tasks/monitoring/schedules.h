#pragma once
// Monitoring schedules: records that say what is checked when. What is due is told by the home's scheduler
// (service/bus), which follows these records; each due time calls runMonitoringExecution once. Worker
// threads. Source: SageMaker API reference, CreateMonitoringSchedule and those around it.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

// A value that a run measured.
struct MonitoringMetric {
  std::string name_space, name;
  std::map<std::string, std::string> dimensions;
  double value = 0;
  Instant time;
};

// What the library is told by those who compose it.
struct MonitoringSurroundings {
  // What is wrong with a ScheduleExpression; empty function: none is looked at.
  std::function<Status(const std::string& expression)> check_expression = {};
  // Where values go; empty: nowhere. Any thread.
  std::function<Status(const std::vector<MonitoringMetric>& metrics)> put_metrics = {};
};

inline constexpr const char* kScheduleNow = "NOW";  // a ScheduleExpression: once, at once
// The note since when due times count: of the creation, of the last change or start.
inline constexpr const char* kActiveNote = "Active";

Outcome create_monitoring_schedule(TaskCall& call);
Outcome describe_monitoring_schedule(TaskCall& call);
Outcome list_monitoring_schedules(TaskCall& call);
Outcome update_monitoring_schedule(TaskCall& call);
Outcome start_monitoring_schedule(TaskCall& call);
Outcome stop_monitoring_schedule(TaskCall& call);
Outcome delete_monitoring_schedule(TaskCall& call);

}  // namespace millrace::tasks
