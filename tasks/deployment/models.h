#pragma once
// Models and endpoints as records: a model is one or more containers in sequence, an endpoint configuration
// weighs models as variants, an endpoint serves one configuration. Scoring itself: invoke.h.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome create_model(TaskCall& call);
Outcome create_endpoint_config(TaskCall& call);
Outcome create_endpoint(TaskCall& call);                         // InService at once; the models must load
Outcome update_endpoint(TaskCall& call);                         // all traffic moves to the new configuration
Outcome update_endpoint_weights_and_capacities(TaskCall& call);  // weights only: there is one machine

// Artifact URIs of a model's containers, in order. NotFound; InvalidArgument for a package that is not
// Approved.
Result<std::vector<std::string>> model_uris(const Jobs& jobs, std::string_view model_name);

}  // namespace millrace::tasks
