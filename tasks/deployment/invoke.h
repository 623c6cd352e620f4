#pragma once
// Real-time scoring as workflows and the command line ask for it; endpoint_host.h does the work. Any thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

struct InvokeAnswer {
  std::string body;
  std::string content_type;  // text/csv or application/json
  std::string variant;       // the production variant that answered
  int status = 200;
};

class EndpointHost;

// By the host of the home, or one of its own over a home that is open elsewhere. `content_type`, `accept`:
// see score.h. `target_variant`: that variant instead of one picked by weight. Errors: NotFound for an
// endpoint that does not exist; InvalidArgument for what is wrong with the request: e.g. "Invalid data
// format. Input data has 1 while the model expects 6: age, …"; DataLoss when the model can't be read.
Result<InvokeAnswer> invoke_endpoint(EndpointHost& host, std::string_view endpoint,
                                     std::string_view content_type, std::string_view body,
                                     std::string_view accept, std::string_view target_variant = {},
                                     std::string_view inference_id = {}, std::string_view target_model = {});
Result<InvokeAnswer> invoke_endpoint(const Jobs& jobs, const ObjectStore& objects, std::string_view endpoint,
                                     std::string_view content_type, std::string_view body,
                                     std::string_view accept);

// arn:aws:states:::aws-sdk:sagemakerruntime:invokeEndpoint
Outcome invoke_endpoint_task(TaskCall& call);

}  // namespace millrace::tasks
