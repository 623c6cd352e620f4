#pragma once
// SageMaker's lineage operations: QueryLineage, associations, and artifacts, actions and contexts, both those
// that people make and those that follow from records (lineage_graph.h), which can be looked at and joined to
// others, but not changed. Worker threads. Source: SageMaker API reference.

#include "tasks/task_kind.h"

namespace millrace::tasks {

// StartArns may also hold a resource's ARN, s3://… or a short name (endpoint/NAME). Vertices have their Name
// and SourceUri, too.
Outcome query_lineage(TaskCall& call);

Outcome add_association(TaskCall& call);
Outcome delete_association(TaskCall& call);
Outcome list_associations(TaskCall& call);

Outcome create_artifact(TaskCall& call);  // one for a SourceUri and its SourceTypes
Outcome create_action(TaskCall& call);
Outcome create_context(TaskCall& call);
Outcome describe_artifact(TaskCall& call);
Outcome describe_action(TaskCall& call);
Outcome describe_context(TaskCall& call);
Outcome list_artifacts(TaskCall& call);
Outcome list_actions(TaskCall& call);
Outcome list_contexts(TaskCall& call);
Outcome update_artifact(TaskCall& call);
Outcome update_action(TaskCall& call);
Outcome update_context(TaskCall& call);
Outcome delete_artifact(TaskCall& call);  // these are refused while associations hold on to them
Outcome delete_action(TaskCall& call);
Outcome delete_context(TaskCall& call);

}  // namespace millrace::tasks
