#pragma once
// Jobs for people: listJobRecords over all kinds, describeJobRecord with what a job was made of, what it used
// and why it ran or did not. Operations of Millrace's own, beside SageMaker's. Worker thread.

#include "tasks/task_kind.h"

namespace millrace::tasks {

// JobKind, NameContains, StatusEquals, MaxResults, NextToken: newest first.
Outcome list_job_records(TaskCall& call);
// JobName, perhaps JobKind: {"JobKind", "Job": the Describe… document, "Step": step_record.h, "Caller", …}.
Outcome describe_job_record(TaskCall& call);

}  // namespace millrace::tasks
