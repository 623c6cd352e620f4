#pragma once
// compareModelPackages: versions of a group side by side: metrics (of the training job, of the reports that
// the package names, of its metadata), parameters, data and code, as tables with a value for each version.
// Worker thread.

#include "tasks/task_kind.h"

namespace millrace::tasks {

// {"ModelPackageGroupName", "Versions": [3, 4] or ["3", "champion"]} →
// {"Versions": […], "Metrics": [{"Name", "Values": […]}], "Parameters": […], "Data": […]}; a value that a
// version does not have is null.
Outcome compare_model_packages(TaskCall& call);

}  // namespace millrace::tasks
