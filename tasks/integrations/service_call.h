#pragma once
// What a data service is asked: one operation with its request, from a task or from the API. Values.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "tasks/integrations/service_answer.h"

namespace millrace::tasks {

struct ServiceCall {
  std::string operation;  // "PutItem"
  Payload input = Payload::empty_object();
  std::string key =
      {};  // of the attempt (TaskCall.key): what writes is carried out once for it; empty: always
  std::shared_ptr<const std::atomic<bool>> gone = {};  // nobody waits any more
  std::string base_url = {};  // of the API it came through, for URLs in answers; empty: AWS's
};
using ServiceReply = std::function<void(ServiceAnswer)>;  // once, on the service's thread

// Where the services say they live.
struct ServicePlace {
  std::string region = "us-east-1", account = "123456789012";
};

}  // namespace millrace::tasks
