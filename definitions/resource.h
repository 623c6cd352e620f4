#pragma once
// What a Task's Resource says: which service and action, and how the engine waits for it.
// Source: Step Functions developer guide, "Integrating services".

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::definitions {

enum class TaskPattern { RequestResponse, Sync, WaitForTaskToken };
enum class TaskFamily {
  Lambda,    // arn:aws:lambda:R:A:function:F: LambdaFunction* events, the payload is the result
  Activity,  // arn:aws:states:R:A:activity:N: Activity* events
  Service,   // arn:aws:states:::service:action[.sync[:2]|.waitForTaskToken] and aws-sdk: Task* events
};

struct Resource {
  std::string arn;  // as written
  TaskFamily family = TaskFamily::Service;
  TaskPattern pattern = TaskPattern::RequestResponse;
  std::string resource_type;  // "sagemaker", "lambda", "aws-sdk:s3", "http"; of Service
  std::string resource;       // "createTrainingJob.sync", "startExecution.sync:2"; of Service
  std::string action;         // "createTrainingJob": without the pattern
  std::string region;         // of Lambda and Activity
  bool sync2 = false;         // ".sync:2"
};
// InvalidArgument: "… is not a valid ARN"; a service nobody knows is fine.
Result<Resource> parse_resource(std::string_view arn);

}  // namespace millrace::definitions
