#pragma once
// feature-ingest: rows of a channel as records of a feature group, in bounded memory: columns are features by
// name. feature-materialize: the newest records of a group's offline store into its online store. Both may be
// repeated: a record is in the offline store once for each job, and online the newest wins. Worker thread.
//
// Settings of feature-ingest: `group`; `columns`: {"column": "feature"} where they differ, null leaves one
// out; `target_stores`: ["OnlineStore", "OfflineStore"] (those that the group has). Of feature-materialize:
// `group`.

#include "tasks/processing/processors.h"

namespace millrace::tasks {

Status check_feature_ingest(const ProcessingInputs& inputs);
Result<Json> run_feature_ingest(const ProcessingInputs& inputs, TaskContext& context);

Status check_feature_materialize(const ProcessingInputs& inputs);
Result<Json> run_feature_materialize(const ProcessingInputs& inputs, TaskContext& context);

}  // namespace millrace::tasks
