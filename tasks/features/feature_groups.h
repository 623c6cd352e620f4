#pragma once
// Feature groups as SageMaker's API has them: records of jobs.h, made, described, listed, extended, deleted;
// and what people note of single features. Worker thread. Source: SageMaker API reference, 2017-07-24.

#include <vector>

#include "base/failure.h"
#include "base/json.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome create_feature_group(TaskCall& call);
Outcome list_feature_groups(TaskCall& call);
Outcome update_feature_group(TaskCall& call);  // adds features, changes how long records live
Outcome describe_feature_metadata(TaskCall& call);
Outcome update_feature_metadata(TaskCall& call);

// What DescribeFeatureMetadata answers for each feature of a group's record.
std::vector<Json> feature_metadata(const Json& record);

}  // namespace millrace::tasks
