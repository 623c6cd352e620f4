#pragma once
// Tables, queues, metrics and records of feature groups as task kinds: requests, answers and errors as Step
// Functions shows them, in the optimized form (dynamodb:getItem, with the metadata of the HTTP answer) and in
// the SDK's (aws-sdk:dynamodb:getItem). Loop thread; answers come from the services' threads. Source: AWS
// Step Functions developer guide, service integrations.

#include "tasks/task_kind.h"

namespace millrace::tasks {

void begin_dynamodb(DeferredCall call);
void begin_sqs(DeferredCall call);
void begin_cloudwatch(DeferredCall call);
void begin_feature_store(DeferredCall call);  // Feature Store Runtime
void begin_kinesis(DeferredCall call);

}  // namespace millrace::tasks
