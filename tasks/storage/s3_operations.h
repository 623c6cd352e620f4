#pragma once
// S3's operations over the home's object store, as task kinds: the requests, answers and errors of AWS's SDK
// as Step Functions shows them. Worker thread. Not S3: versions, access control, storage classes; a bucket is
// there when its folder is, and writing makes it. Bodies are text in JSON, so an object that is not UTF-8
// comes with U+FFFD for what is not, and what is written is the value's JSON text.

#include "tasks/task_kind.h"

namespace millrace::tasks {

Outcome s3_get_object(TaskCall& call);
Outcome s3_put_object(TaskCall& call);
Outcome s3_head_object(TaskCall& call);
Outcome s3_delete_object(TaskCall& call);
Outcome s3_copy_object(TaskCall& call);
Outcome s3_delete_objects(TaskCall& call);
Outcome s3_get_object_attributes(TaskCall& call);
Outcome s3_list_objects(TaskCall& call);     // ListObjectsV2
Outcome s3_list_objects_v1(TaskCall& call);  // ListObjects
Outcome s3_list_buckets(TaskCall& call);
Outcome s3_create_bucket(TaskCall& call);
Outcome s3_delete_bucket(TaskCall& call);
Outcome s3_head_bucket(TaskCall& call);

}  // namespace millrace::tasks
