#pragma once
// Job definitions of monitors: Create…, Describe…, List… and Delete… of the four types. A definition is
// checked when it is made; its endpoint need not exist before a schedule names it. Worker threads.

#include "tasks/monitoring/monitoring_plan.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome create_job_definition(const MonitoringType& type, TaskCall& call);
Outcome list_job_definitions(const MonitoringType& type, TaskCall& call);
Outcome delete_job_definition(const MonitoringType& type, TaskCall& call);  // refused while a schedule has it

}  // namespace millrace::tasks
