#pragma once
// Tags of records: AddTags, ListTags, DeleteTags by the resource's ARN. They are notes of the record, so that
// Describe… does not show them, as AWS's does not. Any thread.

#include "tasks/jobs/entities.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

inline constexpr std::size_t kTagsMax = 50;  // of one resource

// [{"Key", "Value"}, …] in the order they were added.
Json tags_in(const Json& record);
// InvalidArgument for a request whose "Tags" are none: lengths, keys that come twice, too many.
Status check_tags(const Json& request);

Outcome add_tags(TaskCall& call);
Outcome list_tags(TaskCall& call);
Outcome delete_tags(TaskCall& call);

}  // namespace millrace::tasks
