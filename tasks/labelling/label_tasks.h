#pragma once
// Labelling jobs and labels as task kinds. Loop thread; answers come from the label store's thread.

#include "tasks/task_kind.h"

namespace millrace::tasks {

void begin_create_labeling_job(DeferredCall call);
void begin_stop_labeling_job(DeferredCall call);
void begin_labels(DeferredCall call);  // listLabelTasks, getLabelItems, putLabels

}  // namespace millrace::tasks
