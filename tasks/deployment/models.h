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
Outcome create_endpoint(TaskCall& call);  // InService at once; the models must load
// All traffic moves to the new configuration: at once, or as DeploymentConfig says (rollout.h), by itself and
// in the background. Of an endpoint that is being updated: ValidationException.
Outcome update_endpoint(TaskCall& call);
Outcome update_endpoint_weights_and_capacities(TaskCall& call);  // weights only: there is one machine

// A model's containers as serving_line.h notes them, in order. NotFound; InvalidArgument for a package that
// is not Approved.
Result<Json> model_containers(const Jobs& jobs, std::string_view model_name);
// Artifact URIs of a model's containers, in order. NotFound; InvalidArgument for a package that is not
// Approved, and for a model that is more than models of ours.
Result<std::vector<std::string>> model_uris(const Jobs& jobs, std::string_view model_name);

}  // namespace millrace::tasks
