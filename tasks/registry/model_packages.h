#pragma once
// The model registry: groups, and in them versions numbered from 1 with metrics, approval and who approved
// when and why. A version is made once per ClientToken or task attempt, however often it is asked for;
// numbers are never used again.

#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome create_model_package_group(TaskCall& call);
// A group that does not exist yet is made on the way, so that a workflow's first registration needs no other
// step.
Outcome create_model_package(TaskCall& call);
Outcome describe_model_package(TaskCall& call);      // also GROUP@ALIAS
Outcome delete_model_package(TaskCall& call);        // refused while an alias stands for it
Outcome update_model_package(TaskCall& call);        // approval, its reason, customer metadata
Outcome delete_model_package_group(TaskCall& call);  // refused while it has versions

// The artifact of a package by name ("group/3", "group@champion") or ARN. NotFound; InvalidArgument unless
// the package is Approved.
Result<std::string> approved_model_uri(const Jobs& jobs, std::string_view name_or_arn);

}  // namespace millrace::tasks
