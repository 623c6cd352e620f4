#pragma once
// Real-time scoring: an endpoint's variant is picked by weight, its models are loaded once and kept by URI, a
// request's rows are read as the model's columns, and the scores come back as CSV or JSON. Any thread.

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

// `content_type`: text/csv, application/json, application/jsonlines (tasks/table/request_rows.h); empty:
// text/csv. `accept`: text/csv, application/jsonlines or application/json ({"predictions":[{"score":…}]});
// empty or */*: JSON for JSON, else CSV. One row of output a row of input: the score, or for several outputs
// all of them. `target_variant`: that variant instead of one picked by weight. Errors: NotFound for an
// endpoint that does not exist; InvalidArgument for what is wrong with the request: e.g. "Invalid data
// format. Input data has 1 while the model expects 6: age, …"; DataLoss when the model can't be read.
Result<InvokeAnswer> invoke_endpoint(const Jobs& jobs, const ObjectStore& objects, std::string_view endpoint,
                                     std::string_view content_type, std::string_view body,
                                     std::string_view accept, std::string_view target_variant = {});

// arn:aws:states:::aws-sdk:sagemakerruntime:invokeEndpoint
Outcome invoke_endpoint_task(TaskCall& call);

}  // namespace millrace::tasks
