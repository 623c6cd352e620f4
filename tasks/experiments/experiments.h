#pragma once
// Experiments: an experiment has trials, a trial has components: what was tried, with parameters, metrics and
// artifacts. A component may belong to several trials. SageMaker's names and rules; jobs with an
// ExperimentConfig make their component themselves (job_components.h). Any thread. Source: SageMaker API
// reference, SageMaker Metrics API reference.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome create_experiment(TaskCall& call);
Outcome update_experiment(TaskCall& call);
Outcome delete_experiment(TaskCall& call);  // refused while it has trials
Outcome create_trial(TaskCall& call);
Outcome update_trial(TaskCall& call);
Outcome delete_trial(TaskCall& call);  // refused while it has components
Outcome list_trials(TaskCall& call);   // of one ExperimentName, or with a TrialComponentName

Outcome create_trial_component(TaskCall& call);
Outcome describe_trial_component(TaskCall& call);
Outcome update_trial_component(TaskCall& call);
Outcome delete_trial_component(TaskCall& call);  // refused while a trial has it
Outcome list_trial_components(TaskCall& call);   // of a TrialName, an ExperimentName, a SourceArn
Outcome associate_trial_component(TaskCall& call);
Outcome disassociate_trial_component(TaskCall& call);

Outcome batch_put_metrics(TaskCall& call);
Outcome batch_get_metrics(TaskCall& call);

// Resource TrainingJob, ExperimentTrialComponent, ModelPackage, … with a SearchExpression.
Outcome search(TaskCall& call);

// Names of the trials that a component belongs to.
std::vector<std::string> trials_of_component(const Json& record);
// What DescribeTrialComponent shows: the record with what its metrics come to.
Result<Json> component_document(const Jobs& jobs, const Json& record);

}  // namespace millrace::tasks
